import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { tempDir, until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { startWithSimulator } from '../running-gateway.ts';

const PATIENT = { withinMs: 15_000 };
const SETTINGS = 'keys: [{ id: a, key: sk-test-key }, { id: b, key: sk-b }]\nlimits: { requests_per_day: 5 }';

type Running = Awaited<ReturnType<typeof startWithSimulator>>;
const says = (running: Running, message: string) => running.log.filter((line) => line.message === message);
const changed = (running: Running, count = 1) =>
  until(() => says(running, 'configuration changed').length >= count, PATIENT);
const health = async (running: Running) => (await fetch(`${running.url}/health`)).json();

async function statuses(running: Running, count: number): Promise<number[]> {
  const all = [];
  for (let asked = 0; asked < count; asked += 1) all.push((await running.chat()).status);
  return all;
}

describe('a configuration that changes while Nexus runs', () => {
  it('is taken over without a restart, and what was used stays used', async () => {
    const running = await startWithSimulator(SETTINGS);
    expect(await statuses(running, 4)).toEqual([200, 200, 200, 200]);
    running.configure((text) => text.replace('requests_per_day: 5', 'requests_per_day: 7'));
    await changed(running);
    expect(await statuses(running, 4)).toEqual([200, 200, 200, 429]);
    running.configure((text) => text.replace('requests_per_day: 7', 'requests_per_day: 2'));
    await changed(running, 2);
    expect(await statuses(running, 1)).toEqual([429]);
    running.configure((text) => text.replace('requests_per_day: 2', 'requests_per_day: 8'));
    await changed(running, 3);
    expect(await statuses(running, 2)).toEqual([200, 429]);
  });

  it('makes a key that it no longer lists unknown', async () => {
    const running = await startWithSimulator(SETTINGS);
    const ask = async () => (await running.chat({}, { authorization: 'Bearer sk-b' })).status;
    expect(await ask()).toBe(200);
    running.configure((text) => text.replace(', { id: b, key: sk-b }', ''));
    await changed(running);
    expect(await ask()).toBe(401);
  });

  it.each([
    ['broken', (text: string) => `${text}\nlimits: [`],
    ['wrong', (text: string) => text.replace('requests_per_day: 5', 'requests_per_dya: 5')],
    ['empty', () => ''],
  ])(
    'is refused when it is %s: the one before it holds, the log and /health say so',
    async (_what, change) => {
      const running = await startWithSimulator(SETTINGS);
      running.configure(change);
      await until(() => says(running, 'configuration refused').length > 0, PATIENT);
      expect(await health(running)).toMatchObject({ status: 'ok', config: { status: 'refused' } });
      expect(await statuses(running, 6)).toEqual([200, 200, 200, 200, 200, 429]);
      expect(says(running, 'configuration refused')).toHaveLength(1);
      running.configure(() => `target_url: ${running.simulator.url}\n${SETTINGS}\n`);
      await changed(running);
      expect(await health(running)).toMatchObject({ config: { status: 'ok' } });
    },
  );

  it('names the settings that hold only after a restart', async () => {
    const running = await startWithSimulator(`${SETTINGS}\nadmin: { listen: 127.0.0.1:0 }`);
    running.configure((text) => `${text}\nledger: { path: x.db }\non_redis_failure: open\n`);
    await until(() => says(running, 'settings need a restart').length > 0, PATIENT);
    expect(says(running, 'settings need a restart')[0]).toMatchObject({
      settings: 'on_redis_failure, ledger',
    });
    const inside = await (await fetch(`${running.gateway.adminUrl}/health`)).json();
    expect(inside).toMatchObject({
      config: { status: 'ok', changes: 1, needs_restart: ['on_redis_failure', 'ledger'] },
    });
  });

  it('is read anew at once when Nexus is told to', async () => {
    const running = await startWithSimulator(SETTINGS);
    running.gateway.reload();
    expect(says(running, 'configuration changed')).toHaveLength(1);
  });
});

describe('the record of a changed configuration', () => {
  const TOKEN = 'hidden-token-of-the-reader';
  const OWN = `${SETTINGS}\nadmin: { listen: 127.0.0.1:0, tokens: [{ id: r, token: ${TOKEN}, scopes: [read] }] }`;
  const audit = async (running: Running) => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const answer = await fetch(`${running.gateway.adminUrl}/admin/v1/audit`, { headers });
    return JSON.parse(await answer.text()).records;
  };
  const records = (running: Running, count: number) =>
    until(async () => {
      const all = await audit(running);
      return all.length >= count && all;
    }, PATIENT);

  it('says what was taken over and what was refused, by name and of limits by value, without a secret', async () => {
    const running = await startWithSimulator(OWN);
    running.configure((text) =>
      text.replace('requests_per_day: 5', 'requests_per_day: 7').replace('sk-b', 'sk-hidden-c'),
    );
    await changed(running);
    await records(running, 1);
    running.configure((text) => text.replace('requests_per_day: 7', 'requests_per_dya: 7'));
    const [refused, taken] = await records(running, 2);
    expect(taken).toMatchObject({
      by: `file:${hostname()}`,
      action: 'configuration changed',
      subject: 'configuration',
      before: { 'keys.b.key': 'set', 'limits.requests_per_day': 5 },
      after: { 'keys.b.key': 'set', 'limits.requests_per_day': 7 },
    });
    expect(refused).toMatchObject({ action: 'configuration refused', before: null, after: { count: 1 } });
    expect(refused.after.problems).toEqual([expect.stringContaining('did you mean `requests_per_day`')]);
    expect(says(running, 'configuration changed')[0]).toMatchObject({
      changed: 'keys.b.key, limits.requests_per_day',
    });
    expect(JSON.stringify([taken, refused]) + running.logText()).not.toMatch(/sk-|hidden/);
  });

  it('is left by a signal too, where that has changed anything', async () => {
    const running = await startWithSimulator(OWN);
    running.gateway.reload();
    running.configure((text) => text.replace('requests_per_day: 5', 'requests_per_day: 7'));
    running.gateway.reload();
    const [record, ...more] = await records(running, 1);
    expect([record.by, more]).toEqual([`signal:${hostname()}`, []]);
  });

  it('that can’t be kept keeps nobody from anything, and the log says so', async () => {
    const path = join(await tempDir(), 'ledger.db');
    mkdirSync(path);
    const running = await startWithSimulator(`${OWN}\nledger: { path: ${path} }`);
    running.configure((text) => text.replace('requests_per_day: 5', 'requests_per_day: 7'));
    running.gateway.reload();
    expect(await statuses(running, 1)).toEqual([200]);
    await until(() => says(running, 'audit record not kept').length > 0, PATIENT);
  });
});
