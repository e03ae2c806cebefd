import { once } from 'node:events';
import { FAULTS } from '@nexus/simulator';
import { freePort, rawRequest } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ADMIN, nothingOpen, rawPost } from '../faults/wire.ts';
import { type RunningGateway, startInFrontOf, startWithSimulator } from '../running-gateway.ts';

/** Each stands for a secret of its kind; none of them may ever be seen outside of its own place. */
const CANARY = {
  listedKey: 'nxs-canarylisted-5f1d7a90c2',
  upstreamKey: 'sk-canaryupstream-77be01d3e4',
  unknownKey: 'sk-canaryunknown-c0ffee1234',
  oddKey: 'canary-odd-key-without-a-shape',
  prompt: 'canaryprompt the launch code is 4711',
  query: 'canaryquery-8d1f',
  cookie: 'canarycookie-1a2b',
  header: 'canaryheader-9f9f',
  user: 'canaryuser-field',
};

const SETTINGS = `${ADMIN}limits: { requests_per_minute: 100000, max_request_tokens: 5000 }
keys:
  - { id: app, key: ${CANARY.listedKey}, upstream_key: ${CANARY.upstreamKey} }
  - { id: own, key: ${CANARY.oddKey}, limits: { requests_per_minute: 1 } }
timeouts: { first_byte: 250ms, idle: 250ms, connect: 250ms }`;

const MORE = [`Cookie: s=${CANARY.cookie}`, `X-Custom: ${CANARY.header}`, 'Connection: close'];
const CHAT = JSON.stringify({
  model: 'gpt-4o-mini',
  user: CANARY.user,
  messages: [{ role: 'user', content: CANARY.prompt }],
});

function bytes(path: string, body: string, key: string, more: readonly string[] = []): string {
  return rawPost(`${path}?token=${CANARY.query}`, body, [...MORE, ...more]).replace('sk-test-key', key);
}

/** Fails where a secret stands in the text; the upstream's own answers may quote the client's. */
function expectClean(what: string, text: string, kinds = Object.keys(CANARY)): void {
  for (const [kind, secret] of Object.entries(CANARY))
    if (kinds.includes(kind)) expect([what, kind, text.includes(secret)]).toEqual([what, kind, false]);
  expect([what, /canaryu?p?stream-77|launch code/.test(text)]).toEqual([what, false]);
}

async function expectAllClean(running: RunningGateway, answers: readonly string[]): Promise<void> {
  for (const answer of answers) expectClean('answer', answer);
  await nothingOpen(running);
  expect(running.log.length).toBeGreaterThan(0);
  expectClean('log', running.logText());
  const { url: outside, gateway } = running;
  const inside = gateway.adminUrl;
  for (const url of [`${outside}/health`, `${outside}/ready`, `${inside}/health`, `${inside}/metrics`])
    expectClean(url, await (await fetch(url)).text());
  for (const key of [CANARY.listedKey, CANARY.oddKey, CANARY.unknownKey]) {
    const limits = await fetch(`${running.url}/nexus/limits?token=${CANARY.query}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expectClean('limits', `${await limits.text()}${JSON.stringify([...limits.headers])}`);
  }
  expectClean('log', running.logText());
}

describe('A secret', () => {
  it('is in nothing that the gateway says, whatever the upstream does', { timeout: 30_000 }, async () => {
    const running = await startWithSimulator(SETTINGS);
    const answers: string[] = [];
    for (const fault of [...Object.keys(FAULTS_SEEN)]) {
      for (const [path, body] of [
        ['/v1/chat/completions', CHAT],
        ['/v1/responses/input_tokens', JSON.stringify({ input: CANARY.prompt })],
      ] as const) {
        const call = bytes(path, body, CANARY.listedKey, [`X-Simulate-Fault: ${fault}`]);
        const { text } = await rawRequest(running.port, call, { withinMs: 1_000 });
        answers.push(text);
      }
    }
    await expectAllClean(running, answers);
  });

  it('is in nothing that the gateway refuses', async () => {
    const running = await startWithSimulator(SETTINGS);
    const { listedKey, oddKey, unknownKey, prompt, query, header } = CANARY;
    const chat = (key: string, body = CHAT, more: readonly string[] = []) =>
      bytes('/v1/chat/completions', body, key, more);
    const calls = [
      chat(unknownKey),
      chat(unknownKey.toUpperCase()),
      chat(`${listedKey} ${oddKey}`),
      chat(listedKey, `{"model":"${prompt}`),
      chat(listedKey, prompt),
      chat(listedKey, `{"${prompt}":1,"max_tokens":1,"max_tokens":2}`),
      chat(
        listedKey,
        JSON.stringify({ model: 'm', messages: [{ role: 'user', content: prompt.repeat(2_000) }] }),
      ),
      chat(listedKey, CHAT, [`Content-Encoding: ${header}`]),
      chat(listedKey, CHAT, [`Authorization: Bearer ${oddKey}`]),
      chat(listedKey, CHAT, [`Transfer-Encoding: ${header}`]),
      chat(listedKey, CHAT, [`X-Large: ${header.repeat(2_000)}`]),
      chat(listedKey, CHAT, [`${header}`]),
      chat(listedKey, CHAT).replace('Content-Length', `X-A: ${header}\0\r\nContent-Length`),
      chat(oddKey),
      chat(oddKey),
      chat(oddKey),
      bytes('/v1/../x', CHAT, listedKey),
      bytes('/v1/models#', CHAT, listedKey),
      bytes('/nexus/x', CHAT, listedKey),
      bytes('/nexus/limits/x', CHAT, unknownKey),
      chat(listedKey).replace('HTTP/1.1', 'HTTP/3.0'),
      chat(listedKey).replace('POST', `${query}`),
      `${query} ${prompt}\r\n\r\n`,
      chat(listedKey).slice(0, -30),
      chat(unknownKey, CHAT, [`X-Request-Id: ${unknownKey}`]),
    ];
    const answers: string[] = [];
    for (const call of calls) {
      const { text } = await rawRequest(running.port, call, { withinMs: 500, until: /\}$/ });
      const echoed = /X-Request-Id: ([^\r]+)/.exec(call)?.[1];
      answers.push(echoed === undefined ? text : text.replaceAll(echoed, ''));
    }
    await expectAllClean(running, answers);
  });

  it('is in nothing that is said of an upstream that cannot be reached', async () => {
    const target = `http://127.0.0.1:${await freePort()}`;
    const running = await startInFrontOf(target, SETTINGS);
    const answers = [];
    for (const path of ['/v1/chat/completions', '/v1/responses/input_tokens'])
      answers.push((await rawRequest(running.port, bytes(path, CHAT, CANARY.listedKey))).text);
    await expectAllClean(running, answers);
    for (const answer of answers) expect(answer).not.toContain('127.0.0.1');
  });

  it('is in nothing that is said of a WebSocket', async () => {
    const running = await startWithSimulator(SETTINGS, { apiKeys: ['another-key'] });
    const answers: string[] = [];
    for (const key of [CANARY.listedKey, CANARY.oddKey, CANARY.unknownKey]) {
      const socket = new WebSocket(
        `${running.url.replace('http', 'ws')}/v1/realtime?model=m&token=${CANARY.query}`,
        [],
        {
          headers: { authorization: `Bearer ${key}`, cookie: CANARY.cookie },
        },
      );
      socket.on('error', () => {});
      const [, answer] = await once(socket, 'unexpected-response');
      let text = JSON.stringify(answer.headers);
      for await (const chunk of answer) text += chunk;
      answers.push(text);
      socket.terminate();
    }
    await expectAllClean(running, answers);
  });

  it('of the gateway is masked nowhere but gone: not a part of an upstream key reaches a client', async () => {
    const running = await startWithSimulator(SETTINGS, { apiKeys: ['another-key'] });
    for (const path of ['/v1/chat/completions', '/v1/responses/input_tokens']) {
      const { text } = await rawRequest(running.port, bytes(path, CHAT, CANARY.listedKey));
      expect(text).toMatch(/^HTTP\/1\.1 502/);
      expect(text).not.toMatch(/sk-canar|e4"|d3e4/);
    }
  });
});

/** What the simulator can do wrong, but for what would only take time or memory here. */
const FAULTS_SEEN = Object.fromEntries(
  Object.entries(FAULTS).filter(([name]) => !['huge', 'slow', 'gzip-bomb'].includes(name)),
);
