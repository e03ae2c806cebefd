import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '@nexus/config';
import { afterEach, describe, expect, it } from 'vitest';
import { gatewayConfig } from '../src/device/gateway-config.ts';
import { hostileCalls } from '../src/load/hostile.ts';
import { CLIENT_KEY, smallChatCalls } from '../src/load/requests.ts';
import { need } from '../src/remote.ts';
import { freePort, type StartedProcess, startNode, untilListening } from '../src/started-process.ts';

const here = (file: string): string => fileURLToPath(new URL(`../src/${file}`, import.meta.url));
const started: StartedProcess[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop()));
});

function start(file: string, asks: boolean, ...args: string[]): StartedProcess {
  const one = startNode([here(file), ...args], { cores: undefined, asks });
  started.push(one);
  return one;
}

async function loadAndUpstream(): Promise<{ load: StartedProcess; port: number }> {
  const port = await freePort();
  const upstream = start('upstream.ts', false, String(port));
  const load = start('load/main.ts', true);
  await untilListening(upstream, port);
  return { load, port };
}

describe('the load', () => {
  it('counts what it did and what failed', async () => {
    const { load, port } = await loadAndUpstream();
    const outcome = await load.remote.ask('calls', { port, connections: 3, forMs: 200 });
    expect(need(outcome, 'done')).toBeGreaterThan(3);
    expect(outcome.failed).toBe(0);
    expect(need(outcome, 'p99Ms')).toBeGreaterThanOrEqual(need(outcome, 'p50Ms'));
  });

  it('paces calls as it was told', async () => {
    const { load, port } = await loadAndUpstream();
    const outcome = await load.remote.ask('paced', { port, perSecond: 100, forMs: 500 });
    expect(need(outcome, 'done')).toBeGreaterThanOrEqual(45);
    expect(need(outcome, 'done')).toBeLessThanOrEqual(60);
  });

  it('reads streams to their end, one event a read', async () => {
    const { load, port } = await loadAndUpstream();
    const outcome = await load.remote.ask('streams', { port, streams: 4, chunks: 5, intervalMs: 20 });
    expect(outcome.events).toBe(4 * (5 + 2));
    expect(outcome.failed).toBe(0);
  });

  it('holds streams open until it lets go of them', async () => {
    const { load, port } = await loadAndUpstream();
    const held = { port, streams: 20, intervalMs: 1_000, withinMs: 5_000 };
    expect(await load.remote.ask('hold', held)).toMatchObject({ live: 20 });
    await load.remote.ask('release');
    expect(await load.remote.ask('live')).toMatchObject({ live: 0 });
  });

  it('says so where nobody listens or a question makes no sense', async () => {
    const load = start('load/main.ts', true);
    const port = await freePort();
    await expect(load.remote.ask('calls', { port, connections: 1, forMs: 10 })).rejects.toThrow(
      'ECONNREFUSED',
    );
    await expect(load.remote.ask('calls', {})).rejects.toThrow('"port" is missing');
    await expect(load.remote.ask('toString')).rejects.toThrow('not answered');
    await load.stop();
    await expect(load.remote.ask('live')).rejects.toThrow();
  });
});

describe('untilListening', () => {
  it('repeats what a process complained about before it ended', async () => {
    const broken = startNode(['-e', 'console.error("no such setting"); process.exit(1)'], {
      cores: undefined,
      asks: false,
    });
    await expect(untilListening(broken, await freePort())).rejects.toThrow('no such setting');
  });
});

describe('the probe', () => {
  it('sees how long the loop was blocked', async () => {
    const blocked = `process.stdin.resume(); setInterval(() => {}, 1000);
      process.on('message', ({ name }) => { if (name === 'block') { const end = performance.now() + 300; while (performance.now() < end); } });`;
    const one = startNode(['--import', here('device/probe.ts'), '-e', blocked], {
      cores: undefined,
      asks: true,
    });
    started.push(one);
    await one.remote.ask('watch');
    await expect(one.remote.ask('block')).rejects.toThrow('not answered');
    await one.remote.ask('memory');
    const delay = await one.remote.ask('delay');
    expect(need(delay, 'maxMs')).toBeGreaterThan(250);
    expect(need(delay, 'byTimeP99Ms')).toBeGreaterThan(200);
  });
});

describe('the requests', () => {
  it('are small chat calls of some 300 bytes, and differ', () => {
    const bodies = smallChatCalls().map((bytes) => bytes.toString().split('\r\n\r\n')[1] ?? '');
    expect(new Set(bodies).size).toBe(bodies.length);
    for (const body of bodies) {
      expect(body.length).toBeGreaterThan(240);
      expect(body.length).toBeLessThan(360);
      expect(JSON.parse(body)).toMatchObject({ model: 'gpt-4o-mini' });
    }
  });

  it('hold hostile bodies up to the largest that the gateway takes, and none above', () => {
    const sizes = hostileCalls().map(({ bytes }) => bytes.length - bytes.indexOf('\r\n\r\n') - 4);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(10 * 1024 * 1024);
    expect(sizes.filter((size) => size > 10 * 1024 * 1024 - 1_024)).toHaveLength(3);
  });
});

describe('the configuration of the gateway under test', () => {
  it('is valid and limits the key, its team, their customers and the model, with two budgets', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nexus-bench-test-'));
    try {
      writeFileSync(join(folder, 'config.yaml'), gatewayConfig(9));
      const { config, principals } = loadConfig({ args: [], env: {}, cwd: folder });
      const principal = principals.find(CLIENT_KEY);
      expect(principal?.limits.buckets).toHaveLength(5);
      expect(principal?.team?.limits?.buckets).toHaveLength(3);
      const customer = principal?.team?.customers?.find('customer-7');
      expect(customer?.limits?.buckets).toHaveLength(2);
      const all = [...(principal?.team?.limits?.buckets ?? []), ...(customer?.limits?.buckets ?? [])];
      expect(all.filter((limit) => limit.kind === 'calendar' && limit.counts === 'usd')).toHaveLength(2);
      expect(config.models).toHaveLength(1);
      expect(config.redis).toBeUndefined();
      writeFileSync(join(folder, 'config.yaml'), gatewayConfig(9, 'redis://127.0.0.1:6379'));
      expect(loadConfig({ args: [], env: {}, cwd: folder }).config.redis).toBeDefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
