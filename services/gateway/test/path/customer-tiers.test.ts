import { describe, expect, it } from 'vitest';
import { requestLines, startWithSimulator } from '../running-gateway.ts';

const SETTINGS = `
tiers:
  free: { requests_per_day: 2, max_output_tokens: 50, models: ["gpt-4o*", "!*-audio*"] }
  pro: { requests_per_day: 4 }
  inner: {}
teams:
  search:
    models: ["gpt-4o*", "o3"]
    customers: { tier: free, tiers: { acme: pro }, tier_by_header: { keys: [backend], tiers: [free, pro] } }
keys:
  - { id: app, key: sk-app, team: search }
  - { id: backend, key: sk-backend, team: search }
`;

const key = (name: string, customer: string, more = {}) => ({
  authorization: `Bearer ${name}`,
  'x-nexus-customer': customer,
  ...more,
});

describe('a customer', () => {
  it('calls the models that its tier and its key both allow, and of any other hears what OpenAI says of none', async () => {
    const running = await startWithSimulator(SETTINGS);
    const status = async (model: string, customer: string) =>
      (await running.chat({ model }, key('sk-app', customer))).status;
    expect([await status('o3', 'acme'), await status('gpt-4o', 'bob')]).toEqual([200, 200]);
    const refused = await running.chat({ model: 'o3' }, key('sk-app', 'bob'));
    expect([refused.status, await refused.json()]).toEqual([
      404,
      {
        error: {
          message: 'The model `o3` does not exist or you do not have access to it.',
          type: 'invalid_request_error',
          param: null,
          code: 'model_not_found',
        },
      },
    ]);
    // Denial wins over the pattern that allows; the key's own rule holds for everybody.
    expect(await status('gpt-4o-audio-preview', 'bob')).toBe(404);
    expect(await status('gpt-4', 'acme')).toBe(404);
    expect(running.simulator.hits()).toBe(2);
    const left = await fetch(`${running.url}/nexus/limits?customer=bob`, { headers: key('sk-app', '') });
    expect(await left.text()).toContain(
      '"limit":"customer:search/bob/requests_per_day","kind":"calendar","counts":"requests","amount":2,"period":"day","time_zone":"UTC","size":2,"available":1',
    );
  });

  it('asks for no longer answer than its tier allows', async () => {
    const running = await startWithSimulator(SETTINGS);
    const refused = await running.chat({ max_tokens: 51 }, key('sk-app', 'bob'));
    expect([refused.status, refused.headers.get('x-nexus-limit')]).toEqual([
      429,
      'customer:search/bob/max_output_tokens',
    ]);
    expect((await running.chat({ max_tokens: 50 }, key('sk-app', 'bob'))).status).toBe(200);
    expect((await running.chat({ max_tokens: 51 }, key('sk-app', 'acme'))).status).toBe(200);
  });
});

describe('the header x-nexus-tier', () => {
  const tier = (name: string) => ({ 'x-nexus-tier': name });

  it('gives a customer its tier where the key may name it, also below what a rule gives it', async () => {
    const running = await startWithSimulator(SETTINGS);
    const ask = async (customer: string, named: string) =>
      (await running.chat({}, key('sk-backend', customer, tier(named)))).status;
    const statuses = [];
    for (let count = 0; count < 5; count += 1) statuses.push(await ask('bob', 'pro'));
    expect(statuses).toEqual([200, 200, 200, 200, 429]);
    // What a customer has used is used in every tier.
    expect(await ask('bob', 'free')).toBe(429);
    expect([await ask('acme', 'free'), await ask('acme', 'free'), await ask('acme', 'free')]).toEqual([
      200, 200, 429,
    ]);
    const lines = await requestLines(running, 9);
    expect(lines.map((line) => line.customer_tier)).toEqual([
      ...Array(5).fill('pro'),
      ...Array(4).fill('free'),
    ]);
  });

  it('of any other key means nothing, and none reaches the upstream', async () => {
    const running = await startWithSimulator(SETTINGS);
    const ask = async (named: string) => (await running.chat({}, key('sk-app', 'bob', tier(named)))).status;
    expect([await ask('pro'), await ask('nonsense'), await ask('pro')]).toEqual([200, 200, 429]);
    await (await running.chat({}, key('sk-backend', 'eve', tier('pro')))).text();
    const files = await fetch(`${running.url}/v1/files`, { headers: key('sk-backend', 'eve', tier('pro')) });
    await files.text();
    expect(running.simulator.requests).toHaveLength(4);
    for (const { headers } of running.simulator.requests)
      expect(Object.keys(headers).filter((name) => name.startsWith('x-nexus'))).toEqual([]);
  });

  it('that names what the key may not give is refused, without telling what there is', async () => {
    const running = await startWithSimulator(SETTINGS);
    for (const named of ['inner', 'nonsense', '__proto__', 'pro, free', '']) {
      const refused = await running.chat({}, key('sk-backend', 'bob', tier(named)));
      expect([refused.status, await refused.json()]).toEqual([
        400,
        {
          error: {
            message: 'The header x-nexus-tier names no tier that this key may give its customers.',
            type: 'invalid_request_error',
            param: null,
            code: 'invalid_tier',
          },
        },
      ]);
    }
    expect(running.simulator.hits()).toBe(0);
    const noName = await running.chat({}, key('sk-backend', 'a b', tier('pro')));
    expect(await noName.json()).toMatchObject({ error: { code: 'invalid_customer' } });
  });

  it('shows a key what is left in the tier that it names', async () => {
    const running = await startWithSimulator(SETTINGS);
    const sizes = async (name: string) => {
      const headers = { authorization: `Bearer ${name}`, ...tier('pro') };
      return /bob\/requests_per_day".*?"size":(\d+)/.exec(
        await (await fetch(`${running.url}/nexus/limits?customer=bob`, { headers })).text(),
      )?.[1];
    };
    expect([await sizes('sk-backend'), await sizes('sk-app')]).toEqual(['4', '2']);
  });
});
