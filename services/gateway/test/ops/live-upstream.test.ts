import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { selfSignedCert, tempDir, until } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../../src/server.ts';
import { type RunningGateway, requestLines, startInFrontOf } from '../running-gateway.ts';
import { KEY, LIMITS, sent, simulator, startFor } from '../upstream/upstream-simulators.ts';

const SLOW = { 'x-simulate-tokens': '20', 'x-simulate-tokens-per-second': '20' };

/** Changes the file and has it read at once. */
function change(running: RunningGateway, from: string, to: string): void {
  running.configure((text) => text.replace(from, to));
  running.gateway.reload();
  expect(running.log.some(({ message }) => message === 'configuration refused')).toBe(false);
}

const says = (running: RunningGateway, message: string) =>
  running.log.filter((line) => line.message === message);

/** An upstream that counts its connections. */
async function countingServer(): Promise<{ url: string; made(): number; open(): number }> {
  let [made, open] = [0, 0];
  const server = createServer((req, res) => {
    req.resume();
    req.once('end', () => res.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
  });
  server.on('connection', (socket) => {
    made += 1;
    open += 1;
    socket.once('close', () => {
      open -= 1;
    });
  });
  const { port } = await listen(server, 0, '127.0.0.1');
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${port}`, made: () => made, open: () => open };
}

describe('An upstream that is changed while Nexus runs', () => {
  it('takes the next request, while an answer that is under way comes to its end from the one before it', async () => {
    const [old, next] = [await simulator(), await simulator()];
    const running = await startInFrontOf(old.url, LIMITS);
    const expected = await (await running.chat({ stream: true }, { 'x-simulate-tokens': '20' })).text();
    const under = await running.chat({ stream: true }, SLOW);
    change(running, old.url, next.url);
    expect((await running.chat()).status).toBe(200);
    expect([old.hits(), next.hits()]).toEqual([2, 1]);
    expect(await under.text()).toBe(expected);
    const inside = await (await fetch(`${running.gateway.adminUrl}/health`)).json();
    expect(inside).toMatchObject({ config: { status: 'ok', changes: 1, needs_restart: [] } });
  });

  it('has its connections closed once nothing uses them, and others stay open', async () => {
    const [one, two] = [await countingServer(), await countingServer()];
    const running = await startFor([
      `{ name: one, target_url: "${one.url}", models: [gpt-4o-mini] }`,
      `{ name: two, target_url: "${two.url}", keys: [sk-two] }`,
    ]);
    const askBoth = async () => {
      for (const model of ['gpt-4o-mini', 'gpt-5']) await (await running.chat({ model })).text();
      await (await fetch(`${running.url}/v1/models`, { headers: KEY })).text();
    };
    await askBoth();
    change(running, 'keys: [sk-two]', 'keys: [sk-new]');
    await askBoth();
    expect([one.made(), two.made()]).toEqual([2, 1]);
    change(running, two.url, one.url);
    await until(() => two.open() === 0);
    expect(one.open()).toBe(2);
  });

  it('keeps a key that cools off cooling off, and a new key is used at once', async () => {
    const upstream = await simulator();
    const running = await startFor([`{ name: one, target_url: "${upstream.url}", keys: [sk-a, sk-b] }`]);
    upstream.faults.next('error-429');
    expect((await running.chat()).status).toBe(429);
    expect((await running.chat()).status).toBe(200);
    change(running, 'keys: [sk-a, sk-b]', 'keys: [sk-c, sk-a]');
    for (let i = 0; i < 3; i++) expect((await running.chat()).status).toBe(200);
    expect(sent(upstream, 'authorization')).toEqual([
      'Bearer sk-a',
      'Bearer sk-b',
      'Bearer sk-c',
      'Bearer sk-c',
      'Bearer sk-c',
    ]);
  });

  it('stays away while its breaker is open, unless it is another host', async () => {
    const [bad, good] = [await simulator(), await simulator()];
    bad.faults.always('error-500');
    const running = await startFor([`{ name: one, target_url: "${bad.url}" }`]);
    for (let i = 0; i < 5; i++) expect((await running.chat()).status).toBe(500);
    expect((await running.chat()).status).toBe(503);
    change(running, 'name: one,', 'name: one, keys: [sk-x],');
    expect((await running.chat()).status).toBe(503);
    change(running, bad.url, good.url);
    expect((await running.chat()).status).toBe(200);
    expect(bad.hits()).toBe(5);
  });

  it('can become several, and one again', async () => {
    const [one, two] = [await simulator(), await simulator()];
    const running = await startInFrontOf(one.url, LIMITS);
    const several = `upstreams: [{ name: two, target_url: "${two.url}", models: [gpt-5] }]\n`;
    expect((await running.chat({ model: 'gpt-5' })).headers.get('x-nexus-upstream')).toBeNull();
    running.configure((text) => `${text}\n${several}`);
    running.gateway.reload();
    expect((await running.chat({ model: 'gpt-5' })).headers.get('x-nexus-upstream')).toBe('two');
    change(running, several, '');
    expect((await running.chat({ model: 'gpt-5' })).status).toBe(200);
    expect([one.hits(), two.hits()]).toEqual([2, 1]);
  });

  it('is given no key of another configuration than its own', async () => {
    const [old, next] = [await simulator(), await simulator()];
    const keys = (key: string) => `keys: [{ id: a, key: sk-test-key, upstream_key: ${key} }]`;
    const running = await startInFrontOf(old.url, `${LIMITS}${keys('sk-old')}`);
    let finish = () => {};
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(Buffer.from('{"model":"gpt-4o-mini","messages":['));
        finish = () => {
          controller.enqueue(Buffer.from('{"role":"user","content":"Hello"}]}'));
          controller.close();
        };
      },
    });
    // Its key is known, its body isn't whole when the configuration changes.
    const halfSent = fetch(`${running.url}/v1/chat/completions`, {
      method: 'POST',
      headers: KEY,
      body,
      duplex: 'half',
    });
    await until(() => running.gateway.underWay() === 1);
    running.configure((text) => text.replace(old.url, next.url).replace('sk-old', 'sk-next'));
    running.gateway.reload();
    finish();
    expect((await halfSent).status).toBe(200);
    expect((await running.chat()).status).toBe(200);
    expect([sent(old, 'authorization'), sent(next, 'authorization')]).toEqual([
      ['Bearer sk-old'],
      ['Bearer sk-next'],
    ]);
  });
});

describe('What else changes without a restart', () => {
  it('how long an upstream is waited for, and how long a request waits for its turn', async () => {
    const upstream = await simulator();
    const running = await startInFrontOf(
      upstream.url,
      'limits: { requests_per_minute: { limit: 60, burst: 1 } }\ntimeouts: { first_byte: 60s }\nmax_wait: 0s',
    );
    expect((await running.chat()).status).toBe(200);
    expect((await running.chat()).status).toBe(429);
    change(running, 'max_wait: 0s', 'max_wait: 5s');
    expect((await running.chat()).status).toBe(200);
    change(running, 'first_byte: 60s', 'first_byte: 200ms');
    upstream.faults.next('stall-before');
    expect((await running.chat()).status).toBe(504);
  });

  it('the level of the log', async () => {
    const upstream = await simulator();
    const running = await startInFrontOf(upstream.url, 'log_level: info');
    await running.chat();
    await requestLines(running, 1);
    change(running, 'log_level: info', 'log_level: error');
    await running.chat();
    change(running, 'log_level: error', 'log_level: info');
    await running.chat();
    await until(() => says(running, 'request completed').length === 2);
  });

  it('the certificate: connections to come see the new one, and those that are open go on', async () => {
    const upstream = await simulator();
    const folder = await tempDir();
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const write = (which: 'localhost' | 'renewed', keyOf = which) => {
      writeFileSync(certFile, selfSignedCert(which).cert);
      writeFileSync(keyFile, selfSignedCert(keyOf).key);
    };
    write('localhost');
    const running = await startInFrontOf(
      upstream.url,
      `tls: { cert_file: "${certFile}", key_file: "${keyFile}" }`,
    );
    const dial = async () => {
      const socket = connect({ port: running.port, host: '127.0.0.1', rejectUnauthorized: false });
      await new Promise((resolve, reject) => {
        socket.once('secureConnect', resolve);
        socket.once('error', reject);
      });
      return socket;
    };
    const shown = async () => {
      const socket = await dial();
      const { subject } = socket.getPeerCertificate();
      socket.destroy();
      return String(subject.CN).includes('renewed') ? 'renewed' : 'localhost';
    };
    const early = await dial();
    write('renewed', 'localhost');
    running.gateway.reload();
    expect(running.log.at(-1)).toMatchObject({ message: 'configuration refused' });
    expect(await shown()).toBe('localhost');
    write('renewed');
    running.gateway.reload();
    expect(await shown()).toBe('renewed');
    early.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    const answer = await new Promise<Buffer>((resolve) => early.once('data', resolve));
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
    early.destroy();
  });
});
