import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentialHash } from '@nexus/config';
import { changeBudget, createKey, newKey } from '@nexus/keys';
import { SqliteKeyKeeper } from '@nexus/keys/sqlite';
import { tempDir } from '@nexus/testkit';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { requestLines, startWithSimulator } from '../running-gateway.ts';

// Longer than any wait in a test: a machine that is busy with others fails none.
vi.setConfig({ testTimeout: 60_000 });

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Runs `nexus` with these arguments. */
function nexus(
  args: readonly string[],
  input = '',
): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...args]);
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.on('close', (code) => resolve({ code, out, err }));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

const KEYS = 'keys: [{ id: a, key: sk-test-key, team: search }, { id: b, key: sk-b }]\n';
const TEAM = 'teams: { search: { limits: { requests_per_day: 100 } } }\n';

async function fileWith(name: string, text: string): Promise<string> {
  const file = join(await tempDir(), name);
  writeFileSync(file, text);
  return file;
}

/** A log with six calls of the team and two of the other key, one of them refused. */
async function someLog() {
  const running = await startWithSimulator(`${KEYS}${TEAM}limits: { requests_per_day: 6 }`);
  for (let count = 0; count < 6; count += 1) await (await running.chat()).text();
  await (await running.chat({ model: 'o3' }, { authorization: 'Bearer sk-b' })).text();
  const refused = await running.chat();
  await requestLines(running, 8);
  return { running, refused, text: running.logText() };
}

describe('nexus replay', () => {
  it('says whom another configuration would have refused, and by which limit', async () => {
    const { text } = await someLog();
    const log = await fileWith('nexus.log', `Nov 22 host nexus[7]: not JSON\n${text}`);
    const config = await fileWith(
      'new.yaml',
      `${KEYS}teams: { search: { limits: { requests_per_day: 4 } } }\n`,
    );
    const { code, out, err } = await nexus(['replay', '--log', log, '--config', config]);
    expect(err).toBe('');
    expect(out).toBe(
      'search: 3 of 7 would have been refused (in the log: 1), by team:search/requests_per_day (3)\n' +
        'b: 0 of 1 would have been refused (in the log: 0)\n',
    );
    expect(code).toBe(0);
    const same = await fileWith('same.yaml', `${KEYS}${TEAM}limits: { requests_per_day: 6 }\n`);
    const again = await nexus(['replay', '--log', '-', '--config', same, '--json'], text);
    expect(JSON.parse(again.out)).toMatchObject({
      suppressed: 0,
      groups: [
        { name: 'search', requests: 7, refusedThen: 1, refusedNow: 1 },
        { name: 'b', refusedNow: 0 },
      ],
    });
  });

  it('knows issued keys by the store that the configuration names, and the budgets that were changed there', async () => {
    const folder = await tempDir();
    const keeper = new SqliteKeyKeeper(join(folder, 'nexus.db'));
    onTestFinished(() => keeper.close());
    const key = newKey();
    const doer = { by: 'cli:x', nowMs: Date.now() };
    await createKey(keeper, { id: 'issued', hash: credentialHash(key), team: 'search' }, doer);
    const settings = `${KEYS}teams: { search: { limits: { usd_per_month: 100 } } }\nrequire_known_keys: true\n`;
    const running = await startWithSimulator(`${settings}ledger: { path: ${join(folder, 'nexus.db')} }`);
    const own = { authorization: `Bearer ${key}` };
    for (let count = 0; count < 3; count += 1)
      expect((await (await running.chat({}, own)).text()).length).toBeGreaterThan(0);
    await requestLines(running, 3);
    const config = join(folder, 'new.yaml');
    writeFileSync(config, settings);
    const args = ['replay', '--log', '-', '--config', config];
    expect(await nexus(args, running.logText())).toMatchObject({
      out: 'search: 0 of 3 would have been refused (in the log: 0)\n',
      err: '',
    });
    const budget = { owner: 'team:search', limit: 'usd_per_month', configuredNanoUsd: 100e9 };
    await changeBudget(keeper, budget, { amountNanoUsd: 0 }, doer);
    expect((await nexus(args, running.logText())).out).toBe(
      'search: 3 of 3 would have been refused (in the log: 0), by team:search/usd_per_month (3)\n',
    );
    const away = join(folder, 'away.yaml');
    writeFileSync(away, `${settings}redis_url: redis://127.0.0.1:9\n`);
    const without = await nexus(['replay', '--log', '-', '--config', away], running.logText());
    expect(without).toMatchObject({ code: 0, out: expect.stringContaining('by unknown key (3)') });
    expect(without.err).toContain("issued keys can't be read, so theirs count as unknown");
  });

  it('counts tokens and money as they were used, keys that are gone and models that are not allowed', async () => {
    const { text } = await someLog();
    const tokens = await fileWith('t.yaml', `${KEYS}${TEAM}limits: { model_tokens_per_day: 60 }\n`);
    expect((await nexus(['replay', '--log', '-', '--config', tokens], text)).out).toMatch(
      /^search: [1-6] of 7 would have been refused .*key:a\/model_tokens_per_day/,
    );
    const money = await fileWith(
      'm.yaml',
      `${KEYS}${TEAM}prices: { "gpt*": { usd_per_call: 1 } }\nlimits: { usd_per_day: 2 }\n`,
    );
    expect((await nexus(['replay', '--log', '-', '--config', money], text)).out).toContain(
      'search: 5 of 7 would have been refused (in the log: 1), by key:a/usd_per_day (5)',
    );
    const gone = await fileWith('g.yaml', 'keys: [{ id: b, key: sk-b, models: ["gpt*"] }]\n');
    const { out } = await nexus(['replay', '--log', '-', '--config', gone], text);
    expect(out).toContain('search: 7 of 7 would have been refused (in the log: 1), by unknown key (7)');
    expect(out).toContain('b: 1 of 1 would have been refused (in the log: 0), by model not allowed (1)');
  });

  it('counts what the upstream asked for that answered then, or that would be chosen now', async () => {
    const line = (seconds: number, upstream?: string) =>
      `${JSON.stringify({
        time: `2026-11-20T06:00:0${seconds}.000Z`,
        request_id: `r${seconds}`,
        key_id: 'b',
        path: '/v1/chat/completions',
        model: 'claude-fable-5',
        status: 200,
        upstream,
        decision: 'admitted',
        estimated_input_tokens: 100_000,
        input_tokens: 100_000,
        output_tokens: 0,
      })}\n`;
    const log = line(1, 'maker') + line(2, 'reseller') + line(3, 'gone') + line(4) + line(5);
    // A million input tokens cost 8 dollars at the reseller, 10 at the maker: 1.0 + 4 x 0.8 in all.
    const config = async (usd: number) =>
      fileWith(
        'upstreams.yaml',
        `keys: [{ id: b, key: sk-b, limits: { usd_per_day: ${usd} } }]
upstreams:
  - { name: none, target_url: "http://127.0.0.1:9", models: ["gpt-*"] }
  - { name: reseller, target_url: "https://api.quicksilverpro.io", keys: [k1] }
  - { name: maker, target_url: "https://api.anthropic.com", keys: [k2] }
`,
      );
    const refused = async (usd: number) =>
      (await nexus(['replay', '--log', '-', '--config', await config(usd)], log)).out;
    expect(await refused(4.2)).toContain('b: 0 of 5 would have been refused');
    expect(await refused(4.19)).toContain('b: 1 of 5 would have been refused');
  });

  it('says what is wrong with its use, the log or the configuration', async () => {
    const bad = await fileWith('bad.yaml', 'limits: { x: 1 }\n');
    expect(await nexus(['replay', '--log', 'x'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--config'),
    });
    expect(await nexus(['replay', '--log', '-', '--config', bad, '--since', 'soon'])).toMatchObject({
      code: 2,
    });
    expect(await nexus(['replay', '--log', '-', '--config', bad])).toMatchObject({
      code: 1,
      err: expect.stringContaining('limits.x'),
    });
    const good = await fileWith('good.yaml', KEYS.replace(', team: search', ''));
    expect(await nexus(['replay', '--log', '/nowhere', '--config', good])).toMatchObject({
      code: 1,
      err: expect.stringContaining('ENOENT'),
    });
    expect(await nexus(['replay', '-help'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('Examples'),
    });
  });
});

describe('nexus explain', () => {
  it('says who was refused, by what, and what the sums were', async () => {
    const { text, refused } = await someLog();
    const id = refused.headers.get('x-request-id') ?? '';
    const { code, out } = await nexus(['explain', id, '--log', '-'], text);
    expect(code).toBe(0);
    expect(out).toContain(`${id}: /v1/chat/completions for gpt-4o-mini, 20`);
    expect(out).toContain('by        key a, team search');
    expect(out).toContain('refused   by key:a/requests_per_day');
    expect(out).toContain('it holds 6, 6 were in use, and the request asked for 1');
  });

  it('says what became of one that was admitted, and that it does not know another', async () => {
    const { text, running } = await someLog();
    const id = String((await requestLines(running, 8))[0]?.request_id);
    expect((await nexus(['explain', '--log', '-', id], text)).out).toMatch(
      /admitted {2}by every limit[\s\S]*used {6}\d+ input/,
    );
    expect(await nexus(['explain', 'req_unknown', '--log', '-'], text)).toMatchObject({
      code: 1,
      err: expect.stringContaining('the log has no request req_unknown'),
    });
    expect(await nexus(['explain', '--log', '-'])).toMatchObject({ code: 2 });
  });
});
