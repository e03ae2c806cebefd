import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LedgerEntry } from '@nexus/domain';
import { startProcess, tempDir, until } from '@nexus/testkit';
import { noRedis, startRedis, type TestRedis } from '@nexus/testkit/redis-server';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  entryText,
  type LedgerChange,
  type LedgerStore,
  ledgerKeys,
  RollUps,
  SharedLedger,
  SqliteLedger,
  usageReport,
} from '../src/index.ts';
import { entry } from './entries.ts';

// Longer than any wait in a test: a machine that is busy with others fails none.
vi.setConfig({ testTimeout: 60_000 });

const PATIENT = { withinMs: 20_000 };
const NOVEMBER = { since: '2026-11-01', until: '2026-11-30' };
const KEEP_MS = 400 * 86_400_000;

describe.skipIf(noRedis)('the stream of a cluster', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
    await redis.client.connect();
  });
  afterAll(async () => {
    redis?.client.disconnect();
    await redis?.process.stop();
  });

  /** A ledger of the test's own: its prefix, how to write into its stream, and instances that drain it. */
  function cluster() {
    const prefix = randomUUID();
    const keys = ledgerKeys(prefix);
    const write = async (entries: readonly LedgerEntry[]) => {
      for (const one of entries) await redis.client.call('XADD', [keys.stream, '*', 'e', entryText(one)]);
    };
    const instance = (store?: LedgerStore, more: { claimAfterMs?: number } = {}) => {
      const changes: LedgerChange[] = [];
      const ledger = new SharedLedger({
        redis: redis.client,
        keys,
        store,
        timeZone: 'UTC',
        keepMs: KEEP_MS,
        consumer: randomUUID(),
        pollMs: 10,
        retryMs: 20,
        onChange: (change) => void changes.push(change),
        ...more,
      });
      onTestFinished(() => ledger.close());
      return { ledger, changes };
    };
    const length = () => redis.client.xlen(keys.stream);
    return { prefix, keys, write, instance, length, isDrained: async () => (await length()) === 0 };
  }

  const totalOf = async (ledger: Pick<LedgerStore, 'usage'>) =>
    (await usageReport(ledger, { ...NOVEMBER, by: [] }, 'UTC')).total;

  it('is drained into sums of days, which several instances add up together', async () => {
    const { write, instance, isDrained } = cluster();
    const entries = Array.from({ length: 300 }, (_, count) =>
      entry({ team: `t${count % 3}`, customer: `c${count % 5}`, tokens: [count, 1] }),
    );
    const [one] = [instance(), instance(), instance()];
    await write(entries);
    await until(isDrained, PATIENT);
    const report = await usageReport(one.ledger, { ...NOVEMBER, by: ['team', 'customer'] }, 'UTC');
    expect(report.rows).toHaveLength(15);
    expect(report.total).toMatchObject({ requests: 300, inputTokens: (299 * 300) / 2, outputTokens: 300 });
    expect(report.total.costNanoUsd).toBe(300n * 4_500n);
    expect(await one.ledger.modelDays('2026-11-03', '2026-11-03')).toMatchObject([{ requests: 300 }]);
  });

  it('gives every day of the sums a time to live', async () => {
    const { write, instance, isDrained, keys } = cluster();
    instance();
    await write([entry()]);
    await until(isDrained, PATIENT);
    expect(await redis.client.pttl(keys.day('2026-11-03'))).toBeGreaterThan(KEEP_MS);
  });

  it('lets invented names make no more rows of a day than are allowed, and loses no token', async () => {
    const { write, keys, isDrained, instance } = cluster();
    await write(Array.from({ length: 60 }, (_, count) => entry({ customer: `invented-${count}` })));
    await write(Array.from({ length: 60 }, (_, count) => entry({ keyId: `key-${count}`, team: undefined })));
    const { StreamDrain } = await import('../src/cluster/stream-drain.ts');
    const options = { redis: redis.client, keys, timeZone: 'UTC', keepMs: KEEP_MS };
    const sink = new RollUps({ ...options, mostRows: 20 });
    const drain = new StreamDrain({ ...options, sink, consumer: 'a', pollMs: 10 });
    onTestFinished(() => drain.close());
    await until(isDrained, PATIENT);
    expect(await redis.client.hlen(keys.day('2026-11-03'))).toBeLessThanOrEqual(41);
    const { ledger } = instance();
    const customers = await usageReport(ledger, { ...NOVEMBER, by: ['customer'] }, 'UTC');
    expect(customers.total).toMatchObject({ requests: 120, inputTokens: 1_200, outputTokens: 600 });
    const others = customers.rows.find(({ names }) => names[0] === '(others)');
    expect(others?.totals.requests).toBe(100);
    // Those whose customers lost their names are still charged to their team.
    const teams = await usageReport(ledger, { ...NOVEMBER, by: ['team'] }, 'UTC');
    expect(teams.rows.find(({ names }) => names[0] === 'search')?.totals.requests).toBe(60);
  });

  it('is drained into a store of records, each once however often it stands in the stream', async () => {
    const { write, instance, isDrained } = cluster();
    const store = new SqliteLedger({ path: join(await tempDir(), 'l.db'), timeZone: 'UTC' });
    const entries = Array.from({ length: 50 }, () => entry());
    await write([...entries, ...entries]);
    const { ledger } = instance(store);
    await until(isDrained, PATIENT);
    expect((await totalOf(ledger)).requests).toBe(50);
  });

  it('keeps its records while the store is away; that is said once, and again when it is back', async () => {
    const { write, instance, isDrained, length } = cluster();
    const inner = new SqliteLedger({ path: join(await tempDir(), 'l.db'), timeZone: 'UTC' });
    let isAway = true;
    const store = standIn(inner, async (entries) => {
      if (isAway) throw new Error('away');
      return inner.write(entries);
    });
    const { ledger, changes } = instance(store);
    await write([entry(), entry()]);
    await until(() => ledger.state().status === 'degraded', PATIENT);
    expect(await length()).toBe(2);
    isAway = false;
    await until(isDrained, PATIENT);
    await until(() => ledger.state().status === 'ok', PATIENT);
    expect((await totalOf(ledger)).requests).toBe(2);
    expect(changes.map(({ status }) => status)).toEqual(['degraded', 'ok']);
  });

  it('lets no unreadable record bar the way for others, nor one that the store refuses', async () => {
    const { write, instance, isDrained, keys } = cluster();
    await redis.client.call('XADD', [keys.stream, '*', 'e', '["of a later version"]']);
    await redis.client.call('XADD', [keys.stream, '*', 'other', '']);
    const inner = new SqliteLedger({ path: join(await tempDir(), 'l.db'), timeZone: 'UTC' });
    const bad = entry();
    const store = standIn(inner, async (entries) => {
      if (entries.some(({ id }) => id === bad.id)) throw Object.assign(new Error('no'), { code: '22P05' });
      return inner.write(entries);
    });
    await write([entry(), bad, entry()]);
    const { ledger } = instance(store);
    await until(isDrained, PATIENT);
    await until(() => ledger.state().lost === 3, PATIENT);
    expect((await totalOf(ledger)).requests).toBe(2);
  });

  it('goes on when Redis has forgotten everything', async () => {
    const own = await startRedis();
    await own.client.connect();
    onTestFinished(async () => {
      own.client.disconnect();
      await own.process.stop();
    });
    const keys = ledgerKeys('nexus');
    const options = { redis: own.client, keys, timeZone: 'UTC', keepMs: KEEP_MS, pollMs: 10, retryMs: 20 };
    const ledger = new SharedLedger({ ...options, consumer: 'a' });
    onTestFinished(() => ledger.close());
    await until(() => own.client.exists(keys.stream), PATIENT);
    await own.client.flushall();
    await own.client.script('FLUSH');
    await own.client.call('XADD', [keys.stream, '*', 'e', entryText(entry())]);
    await until(async () => (await totalOf(ledger)).requests === 1, PATIENT);
  });

  it('remembers no reader that has left', async () => {
    const { write, instance, isDrained, keys } = cluster();
    const { ledger } = instance();
    await write([entry()]);
    await until(isDrained, PATIENT);
    await ledger.close();
    expect(await redis.client.call('XINFO', ['CONSUMERS', keys.stream, 'ledger'])).toEqual([]);
  });

  describe.each(['sums', 'a store'])('drained into %s, when instances are killed', (kind) => {
    const script = fileURLToPath(new URL('./draining-process.ts', import.meta.url));

    it.each(['read', 'kept', 'taken off'])(
      'right after a batch was %s, loses nothing and counts nothing twice',
      async (step) => {
        const { prefix, write, isDrained, instance } = cluster();
        const path = kind === 'a store' ? join(await tempDir(), 'l.db') : '';
        await write(Array.from({ length: 30 }, () => entry()));
        for (const dying of [1, 2]) {
          const child = await startProcess({
            command: process.execPath,
            args: [script, redis.url, prefix, path, step, '5'],
            readyWhen: /draining/,
          });
          expect((await child.ended).signal, `${dying}`).toBe('SIGKILL');
          await write(Array.from({ length: 10 }, () => entry()));
        }
        const store = kind === 'a store' ? new SqliteLedger({ path, timeZone: 'UTC' }) : undefined;
        const { ledger } = instance(store, { claimAfterMs: 5 });
        await until(isDrained, PATIENT);
        expect(await totalOf(ledger)).toMatchObject({ requests: 50, inputTokens: 500, outputTokens: 250 });
      },
    );
  });
});

function standIn(inner: LedgerStore, write: LedgerStore['write']): LedgerStore {
  return {
    write,
    prune: (beforeMs, most) => inner.prune(beforeMs, most),
    usage: (query) => inner.usage(query),
    modelDays: (since, to) => inner.modelDays(since, to),
    close: () => inner.close(),
  };
}
