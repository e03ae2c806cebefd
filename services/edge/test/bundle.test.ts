import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startSimulator } from '@nexus/simulator';
import { freePort, type StartedProcess, startProcess, tempDir, until } from '@nexus/testkit';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { chat } from './https-client.ts';

const run = promisify(execFile);
const BUNDLE = fileURLToPath(new URL('../../../deploy/bundle.mjs', import.meta.url));

describe('the bundle that images are made of', () => {
  let folder: string;
  let dist: string;

  beforeAll(async () => {
    // Away from the checkout: what it needs of it, it can't find.
    folder = await mkdtemp(join(tmpdir(), 'nexus-bundle-'));
    dist = join(folder, 'app');
    await run(process.execPath, [BUNDLE, dist]);
  }, 60_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function start(settings: string): Promise<{ gateway: StartedProcess; port: number; url: string }> {
    const port = await freePort();
    const empty = join(await tempDir(), 'empty');
    mkdirSync(empty);
    const file = join(await tempDir(), 'config.yaml');
    writeFileSync(file, `listen_port: ${port}\n${settings}\n`);
    const gateway = await startProcess({
      command: process.execPath,
      args: [join(dist, 'main.js')],
      cwd: empty,
      env: { NODE_OPTIONS: undefined, NODE_PATH: undefined, CONFIG_PATH: file },
      readyWhen: /"message":"listening"/,
    });
    return { gateway, port, url: `http://127.0.0.1:${port}` };
  }

  it('serves a chat and counts its tokens in an empty folder with plain Node', async () => {
    const simulator = await startSimulator();
    onTestFinished(simulator.close);
    const { gateway, url } = await start(
      `target_url: ${simulator.url}\nlimits: { model_tokens_per_minute: 50000 }`,
    );
    const { headers, body } = chat();
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { ...headers },
      body: String(body),
    });
    expect(answer.status).toBe(200);
    expect(JSON.parse(await answer.text()).choices).toHaveLength(1);
    expect(Number(answer.headers.get('x-ratelimit-remaining-tokens'))).toBeLessThan(50_000);
    expect(await gateway.stop()).toEqual({ code: 0, signal: null });
  });

  it.skipIf(noRedis)('brings the scripts that decide in Redis along', async () => {
    const simulator = await startSimulator();
    onTestFinished(simulator.close);
    const redis = await startRedis();
    onTestFinished(async () => {
      redis.client.disconnect();
      await redis.process.stop();
    });
    const { gateway, url } = await start(
      `target_url: ${simulator.url}\nredis_url: ${redis.url}\nlimits: { requests_per_day: 1 }`,
    );
    onTestFinished(() => gateway[Symbol.asyncDispose]());
    const { body, headers = {} } = chat();
    const call = () => fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body: String(body) });
    expect([(await call()).status, (await call()).status]).toEqual([200, 429]);
    expect((await redis.client.keys('{nexus}:*')).length).toBeGreaterThan(0);
  });

  it.skipIf(noRedis).each(['in a file', 'in Redis'])(
    'keeps a ledger %s, and reports from it',
    async (place) => {
      const simulator = await startSimulator();
      onTestFinished(simulator.close);
      const redis = place === 'in Redis' ? await startRedis() : undefined;
      onTestFinished(async () => {
        redis?.client.disconnect();
        await redis?.process.stop();
      });
      const where = redis ? `redis_url: ${redis.url}` : '';
      const settings = `target_url: ${simulator.url}\n${where}\nledger: { path: ${join(await tempDir(), 'ledger.db')} }`;
      const { gateway, url } = await start(settings);
      onTestFinished(() => gateway[Symbol.asyncDispose]());
      const { headers, body } = chat();
      const answer = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { ...headers },
        body: String(body),
      });
      expect(answer.status).toBe(200);
      await answer.text();
      const file = join(await tempDir(), 'config.yaml');
      writeFileSync(file, `${settings}\n`);
      const report = await until(
        async () => {
          const args = [join(dist, 'main.js'), 'usage', '--config', file, '--json'];
          const { total } = JSON.parse((await run(process.execPath, args)).stdout);
          return total.requests > 0 && total;
        },
        { withinMs: 20_000, everyMs: 100 },
      );
      expect(report.requests).toBe(1);
      expect(report.input_tokens).toBe(simulator.usageServed().reportedPromptTokens);
    },
  );

  it('counts a long text in its thread, exactly as it counts a short one', async () => {
    const simulator = await startSimulator();
    onTestFinished(simulator.close);
    const { gateway, url } = await start(
      `target_url: ${simulator.url}\nlimits: { max_request_tokens: 1000 }`,
    );
    // 30,000 words are 30,001 tokens or so; estimated by their bytes they would be some 37,000.
    const { headers, body } = chat({ messages: [{ role: 'user', content: 'word '.repeat(30_000) }] });
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { ...headers },
      body: String(body),
    });
    expect(answer.status).toBe(429);
    await answer.text();
    await gateway.stop();
    const line = gateway.stdout
      .map((text) => JSON.parse(text))
      .find(({ message }) => message === 'request denied');
    expect(line.input_tokens ?? line.estimate?.input_tokens ?? line.estimated_input_tokens).toBeGreaterThan(
      30_000,
    );
    expect(line.input_tokens ?? line.estimate?.input_tokens ?? line.estimated_input_tokens).toBeLessThan(
      30_050,
    );
  });

  it('holds the commands: help, version, check, and the stand-in upstream', async () => {
    const main = join(dist, 'main.js');
    expect((await run(process.execPath, [main, '-version'])).stdout).toMatch(/^nexus \d+\.\d+\.\d+/);
    expect((await run(process.execPath, [main, '-help'])).stdout).toContain('nexus check');
    const simulator = await startProcess({
      command: process.execPath,
      args: [main, 'simulate', '--port', '0'],
      readyWhen: /listens on (\S+)/,
    });
    expect((await fetch(`${simulator.url}/v1/models`)).status).toBe(200);
    await simulator.stop();
  });

  it('has a health check that tells a gateway that answers from one that does not', async () => {
    const simulator = await startSimulator();
    onTestFinished(simulator.close);
    const { gateway, port } = await start(`target_url: ${simulator.url}`);
    const file = join(await tempDir(), 'config.yaml');
    writeFileSync(file, `listen_port: ${port} # here\n`);
    const check = () => run(process.execPath, [join(dist, 'healthcheck.js')], { env: { CONFIG_PATH: file } });
    await check();
    await gateway.stop();
    await expect(check()).rejects.toMatchObject({ code: 1 });
  });

  it('makes a certificate for the names it is given, and leaves one that is there', async () => {
    const tls = join(await tempDir(), 'tls');
    const make = () => run(process.execPath, [join(dist, 'certificate.js'), tls, 'localhost', '127.0.0.1']);
    await make();
    const text = readFileSync(join(tls, 'nexus.crt'), 'utf8');
    const certificate = new X509Certificate(text);
    expect(certificate.checkHost('localhost')).toBe('localhost');
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(statSync(join(tls, 'nexus.key')).mode & 0o777).toBe(0o600);
    await make();
    expect(readFileSync(join(tls, 'nexus.crt'), 'utf8')).toBe(text);
  });

  it('holds no path of the machine it was made on', () => {
    for (const file of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.js')) continue;
      expect(readFileSync(join(dist, file), 'utf8')).not.toContain(
        fileURLToPath(new URL('../../..', import.meta.url)),
      );
    }
  });
});
