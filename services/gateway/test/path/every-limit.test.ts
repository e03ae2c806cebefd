import { readFileSync } from 'node:fs';
import { until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { startWithSimulator } from '../running-gateway.ts';

const SCHEMA: { properties: { limits: { properties: Record<string, unknown> } } } = JSON.parse(
  readFileSync(new URL('../../../../docs/config.schema.json', import.meta.url), 'utf8'),
);
/** Every limit that a configuration can set; `burst` is a part of one. */
const NAMES = Object.keys(SCHEMA.properties.limits.properties).filter((name) => name !== 'burst');

const PRICES = 'prices: { plain: { input_usd_per_million: 10, output_usd_per_million: 20 } }\n';
/** What five calls of 8 tokens in and 100 out exceed, whatever refills meanwhile. */
const AMOUNTS: readonly (readonly [RegExp, string])[] = [
  [/^requests_per_(second|minute|hour)$/, '{ limit: 1, burst: 2 }'],
  [/^requests_per_/, '2'],
  [/^(model|output)_tokens_per_second$/, '{ limit: 1, burst: 250 }'],
  [/^(model|output)_tokens_per_/, '250'],
  [/^input_tokens_per_second$/, '{ limit: 1, burst: 8 }'],
  [/^input_tokens_per_/, '20'],
  [/^usd_per_/, '0.005'],
  [/^concurrent_requests$/, '2'],
  [/^max_/, '50'],
];

const amountOf = (name: string) => AMOUNTS.find(([pattern]) => pattern.test(name))?.[1];

const WHOSE = { authorization: 'Bearer sk-one', 'x-nexus-customer': 'acme', 'x-nexus-feature': 'chat' };

type Running = Awaited<ReturnType<typeof startWithSimulator>>;

/** Five calls at once, more than any of the amounts allows; for slots, behind calls that hold them all. The answers that came. */
async function exceed(running: Running, name: string): Promise<Response[]> {
  const call = (fault: string) =>
    running.chat(
      { model: 'plain', max_tokens: 100 },
      { ...WHOSE, 'x-simulate-tokens': '100', 'x-simulate-fault': fault },
    );
  if (name === 'concurrent_requests') {
    // They end with the gateway.
    for (let slots = 0; slots < 2; slots += 1) void call('stall-before').catch(() => undefined);
    await until(() => running.simulator.hits() === 2, { withinMs: 15_000 });
  }
  return Promise.all(Array.from({ length: 5 }, () => call('none')));
}

/** Where a limit can be set, and what its refusals call its owner. */
const PLACES: readonly (readonly [owner: string, settings: (limits: string) => string])[] = [
  ['key:one', (limits) => `limits: ${limits}\nteams: { search: {} }`],
  ['key:one', (limits) => `teams: { search: { each_key: ${limits} } }`],
  ['team:search', (limits) => `teams: { search: { limits: ${limits} } }`],
  ['feature:search/chat', (limits) => `teams: { search: { features: { chat: { limits: ${limits} } } } }`],
  [
    'customer:search/acme',
    (limits) => `tiers: { t: ${limits} }\nteams: { search: { customers: { tier: t } } }`,
  ],
  ['model:plain', (limits) => `models: { plain: { limits: ${limits} } }\nteams: { search: {} }`],
  ['gateway', (limits) => `gateway: { limits: ${limits} }\nteams: { search: {} }`],
];
const KEY = '\nkeys: [{ id: one, key: sk-one, team: search }]';

describe('a limit that the configuration takes', () => {
  it.each(NAMES)('refuses what is beyond it, and says so: %s', { timeout: 60_000 }, async (name) => {
    const amount = amountOf(name);
    if (amount === undefined) throw new Error(`Nobody says how ${name} is exceeded.`);
    for (const [owner, settings] of PLACES) {
      const running = await startWithSimulator(`${PRICES}${settings(`{ ${name}: ${amount} }`)}${KEY}`);
      const answers = await exceed(running, name);
      const refused = answers.filter(({ status }) => status === 429);
      expect(refused.length, owner).toBeGreaterThan(0);
      const held = name === 'concurrent_requests' ? 2 : 0;
      expect(running.simulator.hits(), owner).toBe(held + 5 - refused.length);
      for (const answer of refused) {
        expect(answer.headers.get('x-nexus-limit')).toBe(`${owner}/${name}`);
        const { error } = JSON.parse(await answer.text());
        expect(['rate_limit_exceeded', 'insufficient_quota']).toContain(error.code);
        expect(error.message).toContain(`${owner}/${name}`);
        // Either when to come back, or that it is no use.
        const waitMs = Number(answer.headers.get('retry-after-ms') ?? Number.NaN);
        if (answer.headers.get('x-should-retry') === 'false') continue;
        expect(waitMs).toBeGreaterThan(0);
        expect(Number(answer.headers.get('retry-after'))).toBe(Math.ceil(waitMs / 1_000));
      }
    }
  });
});

const CALLS = [
  ['/v1/chat/completions', { messages: [{ role: 'user', content: 'Hello' }], max_tokens: 60 }],
  ['/v1/completions', { prompt: 'Hello', max_tokens: 60 }],
  ['/v1/responses', { input: 'Hello', max_output_tokens: 60 }],
  ['/v1/messages', { messages: [{ role: 'user', content: 'Hello' }], max_tokens: 60 }],
  ['/v1/embeddings', { input: 'word '.repeat(60) }],
] as const;

describe('a limit of tokens', () => {
  it.each(CALLS)('is taken from and shown by each metered path: %s', async (path, body) => {
    const running = await startWithSimulator('limits: { model_tokens_per_day: 100 }');
    const ask = () =>
      fetch(`${running.url}${path}`, {
        method: 'POST',
        headers: {
          authorization: 'Bearer sk-a',
          'anthropic-version': '2023-06-01',
          'content-type': 'application/json',
          'x-simulate-tokens': '60',
        },
        body: JSON.stringify({ model: 'text-embedding-3-small', ...body }),
      });
    const first = await ask();
    await first.text();
    expect(first.status).toBe(200);
    const second = await ask();
    await second.text();
    expect(second.status).toBe(429);
    expect(second.headers.get('x-nexus-limit')).toMatch(/\/model_tokens_per_day$/);
  });

  it('lets the first call of a small key through that states no length', async () => {
    const running = await startWithSimulator('limits: { model_tokens_per_minute: 60 }');
    expect((await running.chat()).status).toBe(200);
  });

  it('shows less left after each answer, by what it used', async () => {
    const running = await startWithSimulator('limits: { model_tokens_per_day: 100000 }');
    const left: number[] = [];
    for (let calls = 0; calls < 3; calls += 1) {
      const answer = await running.chat({ max_tokens: 50 }, { 'x-simulate-tokens': '50' });
      await answer.text();
      left.push(Number(answer.headers.get('x-ratelimit-remaining-tokens')));
    }
    expect(left[0]).toBeLessThanOrEqual(100_000 - 50);
    // A prompt is estimated as long as the tokenizer is being made ready.
    for (const [index, less] of left.slice(1).entries()) {
      expect((left[index] ?? 0) - less).toBeGreaterThanOrEqual(50);
      expect((left[index] ?? 0) - less).toBeLessThan(80);
    }
  });
});

describe('who has no limit', () => {
  it('is refused nothing', async () => {
    const running = await startWithSimulator('');
    const answers = await Promise.all(Array.from({ length: 100 }, () => running.chat()));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(answers.some(({ headers }) => headers.has('x-nexus-limit'))).toBe(false);
  });
});
