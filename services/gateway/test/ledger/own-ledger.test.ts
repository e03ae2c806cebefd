import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { startSimulator } from '@nexus/simulator';
import { tempDir, until } from '@nexus/testkit';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startInFrontOf, startWithSimulator } from '../running-gateway.ts';

// Longer than any wait in a test: a machine that is busy with others fails none.
vi.setConfig({ testTimeout: 60_000 });

const PATIENT = { withinMs: 20_000 };

const KEYS = `
teams:
  search: { customers: { tier: small } }
tiers: { small: { requests_per_second: 1000 } }
keys:
  - { id: search-prod, key: sk-test-key, team: search }
`;

/** What the file holds, once there are so many records. */
async function records(path: string, count: number): Promise<Record<string, unknown>[]> {
  return until(() => {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      const rows = db.prepare('SELECT * FROM nexus_requests ORDER BY ended_ms, id').all();
      return rows.length >= count && rows;
    } finally {
      db.close();
    }
  }, PATIENT);
}

async function start(settings = '') {
  const path = join(await tempDir(), 'ledger.db');
  const running = await startWithSimulator(`ledger: { path: ${path} }\n${KEYS}${settings}`);
  return { path, running };
}

describe('a gateway with a ledger in a file', () => {
  it('leaves one record of each answer: who, for whom, what of, how much', async () => {
    const { path, running } = await start();
    const own = { 'x-nexus-customer': 'acme', 'x-nexus-feature': 'chat', 'x-request-id': 'mine' };
    const answer = await running.chat({}, own);
    const { usage } = JSON.parse(await answer.text());
    const [record] = await records(path, 1);
    expect(record).toMatchObject({
      request_id: 'mine',
      tenant: 'default',
      team: 'search',
      key_id: 'search-prod',
      customer: 'acme',
      feature: 'chat',
      model: 'gpt-4o-mini',
      upstream: '',
      status: 200,
      ending: 'whole',
      charged: 1,
      usage_source: 'reported',
      input_tokens: usage.prompt_tokens,
      output_tokens: usage.completion_tokens,
    });
    // Prices of gpt-4o-mini: $0.15 and $0.60 a million.
    expect(record?.cost_nano_usd).toBe(usage.prompt_tokens * 150 + usage.completion_tokens * 600);
    expect(Number(record?.ended_ms)).toBeGreaterThanOrEqual(Number(record?.started_ms));
    expect(Math.abs(Date.now() - Number(record?.ended_ms))).toBeLessThan(60_000);
  });

  it('comes to exactly what the upstream says that it gave out, streams too', async () => {
    const { path, running } = await start();
    const bodies = Array.from({ length: 30 }, (_, count) => ({
      stream: count % 2 === 0,
      messages: [{ role: 'user', content: 'word '.repeat(count) }],
    }));
    await Promise.all(bodies.map(async (body) => (await running.chat(body)).text()));
    const rows = await records(path, 30);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(30);
    const sum = (name: string) => rows.reduce((total, row) => total + Number(row[name]), 0);
    const served = running.simulator.usageServed();
    expect(served.answers).toBe(30);
    expect(sum('input_tokens')).toBe(served.reportedPromptTokens);
    expect(sum('output_tokens')).toBe(served.reportedCompletionTokens);
  });

  it('records what got everything back with nothing used, and nothing of what a limit refused', async () => {
    const { path, running } = await start('limits: { requests_per_minute: { limit: 1, burst: 2 } }');
    const statuses = [];
    for (let count = 0; count < 4; count += 1) statuses.push((await running.chat()).status);
    expect(statuses).toEqual([200, 200, 429, 429]);
    expect(await records(path, 2)).toHaveLength(2);
    const broken = await startInFrontOf('http://127.0.0.1:9', `ledger: { path: ${path} }\n${KEYS}`);
    expect((await broken.chat()).status).toBe(502);
    const failed = (await records(path, 3)).find(({ status }) => status === 502);
    expect(failed).toMatchObject({ charged: 0, input_tokens: 0, output_tokens: 0, cost_nano_usd: null });
  });

  it('names the upstream that answered, where there are several', async () => {
    const [one, other] = [await startSimulator(), await startSimulator()];
    onTestFinished(() => one.close());
    onTestFinished(() => other.close());
    const path = join(await tempDir(), 'ledger.db');
    const upstreams = `upstreams:
  - { name: one, target_url: "${one.url}", models: ["gpt-4o-mini"] }
  - { name: other, target_url: "${other.url}", models: ["*"] }`;
    const running = await startInFrontOf(one.url, `${upstreams}\nledger: { path: ${path} }\n${KEYS}`);
    await (await running.chat()).text();
    await (await running.chat({ model: 'gpt-4o' })).text();
    const rows = await records(path, 2);
    expect(Object.fromEntries(rows.map(({ model, upstream }) => [model, upstream]))).toEqual({
      'gpt-4o-mini': 'one',
      'gpt-4o': 'other',
    });
  });

  it('has every record when it has ended', async () => {
    const { path, running } = await start();
    const calls = Array.from({ length: 10 }, () => running.chat());
    await Promise.all(calls.map(async (call) => (await call).text()));
    const ended = running.gateway.close(0);
    void running.gateway.close();
    await ended;
    expect(await records(path, 10)).toHaveLength(10);
  });

  it('answers although the file can’t be written, says so once, and writes what waited when it can', async () => {
    const folder = join(await tempDir(), 'later');
    const path = join(folder, 'ledger.db');
    const running = await startWithSimulator(`ledger: { path: ${path} }\n${KEYS}`);
    for (let count = 0; count < 3; count += 1) expect((await running.chat()).status).toBe(200);
    const said = (message: string) => running.log.filter((line) => line.message === message);
    await until(() => said('ledger cannot be written').length > 0, PATIENT);
    expect((await running.chat()).status).toBe(200);
    mkdirSync(folder);
    await until(() => said('ledger is written again').length > 0, PATIENT);
    expect(await records(path, 4)).toHaveLength(4);
    expect(said('ledger cannot be written')).toHaveLength(1);
    expect(said('ledger is written again')).toMatchObject([{ lost: 0 }]);
  });

  it('holds neither a key nor a prompt', async () => {
    const { path, running } = await start();
    await (await running.chat({ messages: [{ role: 'user', content: 'secret-canary' }] })).text();
    expect(JSON.stringify(await records(path, 1))).not.toMatch(/sk-test-key|secret-canary/);
  });
});
