import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tempDir, until } from '@nexus/testkit';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startWithSimulator } from '../running-gateway.ts';

// Each command is a process; a machine that is busy with others takes seconds to start one.
vi.setConfig({ testTimeout: 120_000 });

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const PATIENT = { withinMs: 20_000, everyMs: 20 };
const SETTINGS = `
tiers: { pro: { requests_per_day: 500 } }
teams: { search: { each_key: { requests_per_day: 40 } } }
keys: [{ id: listed, key: sk-hidden-one }]
`;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function nexus(args: readonly string[], input = ''): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: '/' });
    const out = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => {
      out.stdout += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      out.stderr += String(chunk);
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...out }));
    // Who doesn't read it may end first.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

async function commands(settings = SETTINGS) {
  const folder = await tempDir();
  const config = join(folder, 'config.yaml');
  writeFileSync(config, `target_url: http://127.0.0.1:9\n${settings}`);
  const run = (verb: string, ...args: readonly string[]) =>
    nexus(['keys', verb, ...args, '--config', config]);
  return { folder, config, run };
}

async function status(url: string, key: string): Promise<number> {
  const answer = await fetch(`${url}/nexus/limits`, { headers: { authorization: `Bearer ${key}` } });
  await answer.text();
  return answer.status;
}

describe('nexus keys', () => {
  it('makes keys without a gateway, which one that starts later takes, and follows', async () => {
    const { folder, run } = await commands();
    const path = join(folder, 'nexus.db');
    expect(existsSync(path)).toBe(false);
    const made = await run('create', '--id', 'search-2', '--team', 'search', '--models', 'gpt-4o*,!*-audio*');
    const key = made.stdout.trim();
    expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/^nxs_[0-9A-Za-z]{49}\n$/)]);
    expect(made.stderr).toContain('shown this once');
    expect(made.stderr).toMatch(/"message":"key created","by":"cli:[^"]+@[^"]+","owner":"key:search-2"/);
    expect(made.stderr).not.toContain(key.slice(4, 20));

    const running = await startWithSimulator(`ledger: { path: ${path} }\n${SETTINGS}`);
    expect(await status(running.url, key)).toBe(200);
    const turned = await run('rotate', 'search-2', '--overlap', '0s', '--json');
    const next = String(JSON.parse(turned.stdout).key);
    await until(async () => (await status(running.url, next)) === 200, PATIENT);
    expect(await status(running.url, key)).toBe(401);
    expect((await run('revoke', 'search-2')).stdout).toContain('is revoked');
    await until(async () => (await status(running.url, next)) === 401, PATIENT);

    const listed = await run('list');
    expect(listed.stdout).toMatch(/^ID +STATUS +TEAM/);
    expect(listed.stdout).toMatch(/^listed +active .*configuration$/m);
    expect(listed.stdout).toMatch(/^search-2 +revoked +search .*cli:/m);
    const outputs = [listed, turned, made].map(({ stderr }) => stderr).join();
    const kept = ['', '-wal'].map((end) =>
      existsSync(path + end) ? readFileSync(path + end, 'latin1') : '',
    );
    for (const secret of [key, next])
      expect(`${outputs}${listed.stdout}${kept.join()}${running.logText()}`).not.toContain(
        secret.slice(4, 20),
      );
  });

  it.skipIf(noRedis)(
    'keeps them in Redis where the configuration names one, and says when it is away',
    async () => {
      const redis = await startRedis();
      onTestFinished(async () => {
        redis.client.disconnect();
        await redis.process.stop();
      });
      const { folder, run } = await commands(`redis_url: ${redis.url}\n${SETTINGS}`);
      const made = await run('create', '--id', 'a', '--expires', '2h');
      expect(made.code).toBe(0);
      expect(JSON.parse((await run('list', '--json')).stdout)).toMatchObject([
        { id: 'a', source: 'issued', status: 'active' },
        { id: 'listed', source: 'listed' },
      ]);
      expect(existsSync(join(folder, 'nexus.db'))).toBe(false);
      await redis.process.stop();
      const failed = await run('revoke', 'a');
      expect([failed.code, failed.stdout]).toEqual([1, '']);
      expect(failed.stderr).toContain("can't be used");
    },
  );

  it('says what is wrong by its exit code and in words, and repeats no key', async () => {
    const { run, config } = await commands();
    const key = 'nxs_canary0canary0canary0canary0canary0canary0canary0';
    const cases: readonly (readonly [readonly string[], number, string])[] = [
      [['create'], 2, '--id is not'],
      [['create', '--id', key.repeat(2)], 2, '--id is not'],
      [['create', '--id', 'a', '--team', 'nobody', '--expires', 'soon'], 2, '--team names no team'],
      [['create', '--id', 'listed'], 2, 'the configuration lists'],
      [['create', 'a'], 2, 'it takes flags alone'],
      [['create', '--id', 'a', `--${key}`], 2, 'there is a flag that it does not know'],
      [['rotate'], 2, 'it takes one id'],
      [['rotate', key], 2, 'not the key'],
      [['rotate', 'a', '--overlap', '1y'], 2, '--overlap is not'],
      [['rotate', 'listed'], 1, 'change it there'],
      [['revoke', 'nobody'], 1, 'No key nobody'],
      [[key], 2, 'it takes create'],
    ];
    for (const [args, code, words] of cases) {
      const [verb = '', ...rest] = args;
      const ended = await run(verb, ...rest);
      expect([args, ended.code, ended.stdout]).toEqual([args, code, '']);
      expect(ended.stderr).toContain(words);
      expect(ended.stderr).not.toContain('canary0');
    }
    writeFileSync(config, 'listen_port: x');
    expect((await run('list')).code).toBe(1);
  });

  it('hash prints what key_hash takes, of what comes on standard input alone', async () => {
    const { config, run } = await commands();
    const [hash, helped] = [await nexus(['keys', 'hash'], 'sk-mine\r\n'), await nexus(['keys', '--help'])];
    expect([hash.code, hash.stderr]).toEqual([0, '']);
    expect(hash.stdout).toMatch(/^hmac-sha256:[0-9a-f]{64}\n$/);
    expect([helped.code, helped.stdout.includes('Examples')]).toEqual([0, true]);
    const text = readFileSync(config, 'utf8').replace(
      'key: sk-hidden-one',
      `key_hash: "${hash.stdout.trim()}"`,
    );
    const running = await startWithSimulator(text.replace(/^target_url.*$/m, ''));
    expect([await status(running.url, 'sk-mine'), await status(running.url, 'sk-hidden-one')]).toEqual([
      200, 401,
    ]);
    const whole = (await run('create', '--id', 'a')).stdout.trim();
    expect((await nexus(['keys', 'hash'], whole)).code).toBe(0);
    for (const wrong of [
      '',
      'two words',
      'ключ',
      'x'.repeat(5_000),
      whole.slice(0, -1),
      `${whole.slice(0, 9)}${whole.slice(10)}0`,
    ]) {
      const ended = await nexus(['keys', 'hash'], wrong);
      expect([wrong, ended.code, ended.stdout]).toEqual([wrong, 1, '']);
    }
    const argument = await nexus(['keys', 'hash', whole]);
    expect([argument.code, argument.stderr.includes('nxs_')]).toEqual([2, false]);
  });
});
