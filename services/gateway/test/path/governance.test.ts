import { describe, expect, it } from 'vitest';
import { requestLines, startWithSimulator } from '../running-gateway.ts';

const SETTINGS = `
limits: { requests_per_day: 100 }
tiers:
  free: { requests_per_day: 2 }
  pro: { requests_per_day: 4 }
teams:
  search:
    limits: { requests_per_day: 12 }
    models: ["gpt-4o*", "!*-audio*", "text-embedding-3-small"]
    features: { autocomplete: { limits: { requests_per_day: 3 } } }
    customers: { tier: free, tiers: { acme: pro } }
  chat:
    customers: { from: body.user, tier: free }
keys:
  - { id: one, key: sk-one, team: search }
  - { id: two, key: sk-two, team: search }
  - { id: chat, key: sk-chat, team: chat }
  - { id: alone, key: sk-alone }
`;

const key = (name: string) => ({ authorization: `Bearer ${name}` });

describe('a team', () => {
  it('is limited over all its keys together, and nobody else with it', async () => {
    const { chat } = await startWithSimulator(SETTINGS);
    const statuses = [];
    for (let count = 0; count < 14; count += 1)
      statuses.push((await chat({}, key(count % 2 === 0 ? 'sk-one' : 'sk-two'))).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(12);
    const refused = await chat({}, key('sk-two'));
    expect(refused.status).toBe(429);
    expect(refused.headers.get('x-nexus-limit')).toBe('team:search/requests_per_day');
    expect((await chat({}, key('sk-alone'))).status).toBe(200);
  });

  it('gets a 404 in OpenAI’s shape for a model that it may not call, and nothing is taken or sent', async () => {
    const running = await startWithSimulator(SETTINGS);
    const refused = await running.chat({ model: 'gpt-4o-audio-preview' }, key('sk-one'));
    expect(refused.status).toBe(404);
    expect(await refused.json()).toEqual({
      error: {
        message: 'The model `gpt-4o-audio-preview` does not exist or you do not have access to it.',
        type: 'invalid_request_error',
        param: null,
        code: 'model_not_found',
      },
    });
    expect((await running.chat({ model: 'o3' }, key('sk-one'))).status).toBe(404);
    expect((await running.chat({ model: 'o3' }, key('sk-alone'))).status).toBe(200);
    expect(running.simulator.hits()).toBe(1);
    const own = await fetch(`${running.url}/nexus/limits`, { headers: key('sk-one') });
    expect(await own.text()).toContain(
      '"limit":"team:search/requests_per_day","kind":"calendar","counts":"requests","amount":12,"period":"day","time_zone":"UTC","size":12,"available":12',
    );
  });
});

describe('a customer', () => {
  it('has the limits of its tier, by itself, whatever keys it comes with', async () => {
    const { chat } = await startWithSimulator(SETTINGS);
    const ask = async (customer: string, name = 'sk-one') =>
      (await chat({}, { ...key(name), 'x-nexus-customer': customer })).status;
    expect([await ask('bob'), await ask('bob', 'sk-two'), await ask('bob')]).toEqual([200, 200, 429]);
    expect(await ask('eve')).toBe(200);
    const acme = [];
    for (let count = 0; count < 5; count += 1) acme.push(await ask('acme'));
    expect(acme).toEqual([200, 200, 200, 200, 429]);
  });

  it('is named in the refusal and in the log, and its header stays within Nexus', async () => {
    const running = await startWithSimulator(SETTINGS);
    const headers = { ...key('sk-one'), 'x-nexus-customer': 'bob', 'x-nexus-feature': 'search' };
    for (let count = 0; count < 2; count += 1) await running.chat({}, headers);
    const refused = await running.chat({}, headers);
    expect(refused.headers.get('x-nexus-limit')).toBe('customer:search/bob/requests_per_day');
    const lines = await requestLines(running, 3);
    expect(lines[2]).toMatchObject({ key_id: 'one', team: 'search', customer: 'bob', feature: 'search' });
    expect(running.simulator.requests).toHaveLength(2);
    for (const { headers: sent } of running.simulator.requests)
      expect(Object.keys(sent).filter((name) => name.startsWith('x-nexus'))).toEqual([]);
  });

  it('is named by the body where the team says so, and by the header of nobody else’s key', async () => {
    const { chat } = await startWithSimulator(SETTINGS);
    const ask = async (user: string) => (await chat({ user }, key('sk-chat'))).status;
    expect([await ask('ann'), await ask('ann'), await ask('ann'), await ask('ben')]).toEqual([
      200, 200, 429, 200,
    ]);
    for (let count = 0; count < 3; count += 1)
      expect((await chat({}, { ...key('sk-alone'), 'x-nexus-customer': 'bob' })).status).toBe(200);
  });

  it('with a name that none can have is refused', async () => {
    const { chat } = await startWithSimulator(SETTINGS);
    const refused = await chat({}, { ...key('sk-one'), 'x-nexus-customer': 'a b' });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ error: { code: 'invalid_customer' } });
    expect((await chat({}, { ...key('sk-one'), 'x-nexus-feature': '../x' })).status).toBe(400);
  });
});

describe('a feature', () => {
  it('can’t use more than its own part of its team’s limits', async () => {
    const { chat } = await startWithSimulator(SETTINGS);
    const ask = (feature: string) => chat({}, { ...key('sk-one'), 'x-nexus-feature': feature });
    const statuses = [];
    for (let count = 0; count < 4; count += 1) statuses.push((await ask('autocomplete')).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    expect((await ask('autocomplete')).headers.get('x-nexus-limit')).toBe(
      'feature:search/autocomplete/requests_per_day',
    );
    expect((await ask('constructor')).status).toBe(200);
  });
});
