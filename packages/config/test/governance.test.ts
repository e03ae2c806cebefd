import type { OwnerLimits } from '@nexus/domain';
import { describe, expect, it } from 'vitest';
import { credentialHash } from '../src/credential.ts';
import { loadText, problemLines, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();
const load = (text: string) => loadText(folder, `target_url: http://x\n${text}`);

const names = (limits: OwnerLimits | undefined) =>
  Object.fromEntries(
    (limits?.buckets ?? []).map((limit) => [limit.name, 'amount' in limit ? limit.amount : limit.slots]),
  );

const FULL = `
limits: { requests_per_second: 10, requests_per_hour: 1000 }
tiers:
  free: { requests_per_minute: 20, requests_per_hour: unlimited, models: ["small*"] }
  pro: { requests_per_second: 30 }
teams:
  search:
    limits: { model_tokens_per_day: 500 }
    each_key: { requests_per_second: 5, concurrent_requests: 4 }
    models: ["!*-audio"]
    features: { autocomplete: { limits: { requests_per_day: 7 } } }
    customers: { tier: free, tiers: { acme: pro, "vip-*": pro } }
  ops: { tier: pro, limits: { requests_per_second: unlimited, requests_per_day: 2 } }
keys:
  - { id: plain, key: sk-plain, team: search }
  - { id: tiered, key: sk-tiered, team: search, tier: free, limits: { concurrent_requests: 1 }, models: ["small-*"] }
  - { id: hashed, key_hash: "hmac-sha256:${credentialHash('sk-hashed')}", team: ops }
`;

describe('a limit that is only tried', () => {
  it('is a team’s, also where the team has no other', () => {
    const { config } = load(
      'teams: { search: { limits: { requests_per_day: { limit: 1, shadow: true } } } }',
    );
    expect(config.teams.get('search')?.limits?.shadows).toMatchObject([
      { name: 'requests_per_day', amount: 1 },
    ]);
  });
});

describe('customers', () => {
  const { config } = load(`
tiers: { free: { requests_per_minute: 2, models: ["small*", "!small-audio"] }, pro: { requests_per_minute: 9 }, inner: {} }
teams:
  search:
    customers: { tier: free, tiers: { acme: pro }, tier_by_header: { keys: [backend, "job-*"], tiers: [free, pro] } }
  all: { customers: { tier_by_header: { keys: ["*"] } } }
`);
  const search = config.teams.get('search')?.customers;

  it('have the models of their tier', () => {
    const rule = search?.find('bob')?.modelRule;
    expect(['small', 'small-audio', 'large'].map((model) => rule?.allows(model))).toEqual([
      true,
      false,
      false,
    ]);
    expect(search?.find('acme')?.modelRule).toBeUndefined();
  });

  it('have the tier that a key names which may, before every rule', () => {
    expect(['backend', 'job-1', 'jobs', 'constructor', ''].map((id) => search?.mayNameTier(id))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(search?.find('bob', 'pro')).toMatchObject({
      tier: 'pro',
      limits: { owner: 'customer:search/bob' },
    });
    expect(search?.find('acme', 'free')?.tier).toBe('free');
    expect([search?.find('bob')?.tier, search?.find('acme')?.tier]).toEqual(['free', 'pro']);
  });

  it('have no tier that may not be named, nor one by a name that looks like a tier and a name', () => {
    for (const tier of ['inner', 'none', '', 'constructor', '__proto__', 'pro bob'])
      expect(search?.find('bob', tier)).toBeUndefined();
    search?.find('bob', 'pro');
    expect(search?.find('pro bob')).toBeUndefined();
    const all = config.teams.get('all')?.customers;
    expect([all?.find('bob', 'inner')?.tier, all?.find('bob')?.tier]).toEqual(['inner', undefined]);
  });

  it('that are named wrongly are problems, each with its remedy', () => {
    const problems = problemLines(
      folder,
      `target_url: http://x
tiers: { free: {}, pro: {} }
teams:
  one: { customers: { tier_by_header: { keys: [a], tiers: [fre] } } }
  two: { customers: { tier_by_header: { tiers: [free] } } }
  three: { customers: { tier_by_header: { keys: ["a b"], key: [x] } } }
`,
    );
    expect(problems).toEqual([
      '4: `teams.one.customers.tier_by_header.tiers[0]` names no tier of `tiers`; did you mean `free`?',
      '5: `teams.two.customers.tier_by_header` has no `keys`; write such as `keys: [search-prod]`',
      '6: `teams.three.customers.tier_by_header.keys[0]` is no pattern of key ids; write such as search-prod or "backend-*"',
      '6: unknown setting `teams.three.customers.tier_by_header.key`; did you mean `keys`?',
    ]);
  });
});

describe('a key of a team', () => {
  const { principals, config } = load(FULL);

  it('has the limits at the top, over them its team’s, its tier’s and its own, by name', () => {
    expect(names(principals.find('sk-plain')?.limits)).toEqual({
      requests_per_second: 5,
      requests_per_hour: 1000,
      concurrent_requests: 4,
    });
    expect(names(principals.find('sk-tiered')?.limits)).toEqual({
      requests_per_second: 5,
      requests_per_minute: 20,
      concurrent_requests: 1,
    });
    expect(principals.find('sk-tiered')?.tier).toBe('free');
  });

  it('shares its team’s limits, which may come from a tier', () => {
    const { team } = principals.find('sk-plain') ?? {};
    expect(team?.limits?.owner).toBe('team:search');
    expect(names(team?.limits)).toEqual({ model_tokens_per_day: 500 });
    expect(principals.find('sk-tiered')?.team).toBe(team);
    expect(names(config.teams.get('ops')?.limits)).toEqual({ requests_per_day: 2 });
  });

  it('is known by its hash alone, where the file holds no key', () => {
    expect(principals.find('sk-hashed')?.keyId).toBe('hashed');
    expect(principals.find(credentialHash('sk-hashed'))).toBeUndefined();
  });

  it('may call a model only if its own, its tier’s and its team’s lists allow it', () => {
    const may = (key: string, model: string) =>
      principals.find(key)?.modelRules.every(({ allows }) => allows(model));
    expect(['anything', 'x-audio', 'X-Audio'].map((model) => may('sk-plain', model))).toEqual([
      true,
      false,
      false,
    ]);
    expect(['small-1', 'small', 'small-audio', 'big'].map((model) => may('sk-tiered', model))).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('a team', () => {
  const team = load(FULL).config.teams.get('search');

  it('limits each customer by the first rule that matches its name, else by the default tier', () => {
    const found = ['acme', 'vip-7', 'anyone'].map((name) => team?.customers?.find(name));
    expect(found.map((customer) => [customer?.tier, customer?.limits?.owner])).toEqual([
      ['pro', 'customer:search/acme'],
      ['pro', 'customer:search/vip-7'],
      ['free', 'customer:search/anyone'],
    ]);
    expect(team?.customers?.find('acme')).toBe(team?.customers?.find('acme'));
  });

  it('takes no name for a customer that could not stand in a log', () => {
    for (const name of ['', 'a b', 'é', 'a\n', 'x'.repeat(129)])
      expect(team?.customers?.find(name)).toBeUndefined();
  });

  it('forgets customers when many more come, so that invented ones take no memory for long', () => {
    const first = team?.customers?.find('first');
    expect(team?.customers?.find('first')).toBe(first);
    for (let count = 0; count < 5_000; count += 1) team?.customers?.find(`invented-${count}`);
    expect(team?.customers?.find('first')).not.toBe(first);
    expect(team?.customers?.find('first')).toEqual(first);
  });

  it('limits its features by their names, which objects inherit too', () => {
    expect(names(team?.features.get('autocomplete'))).toEqual({ requests_per_day: 7 });
    expect(team?.features.get('constructor')).toBeUndefined();
  });
});

describe('a bad governance', () => {
  it.each([
    [
      'keys: [{ id: a, key: b, team: serach }]\nteams: { search: { each_key: { requests_per_day: 1 } } }',
      '`keys[0].team` names no team of `teams`; did you mean `search`?',
    ],
    ['keys: [{ id: a, key: b, tier: x }]', '`keys[0].tier` names no tier of `tiers`; add it to `tiers`'],
    ['keys: [{ id: a }]', '`keys[0]` has no `key`; write such as'],
    [
      `keys: [{ id: a, key: b, key_hash: "hmac-sha256:${'0'.repeat(64)}" }]`,
      '`keys[0]` has both `key` and `key_hash`; keep one',
    ],
    ['keys: [{ id: a, key_hash: abc }]', '`keys[0].key_hash` is not what `nexus keys hash` prints'],
    [
      `keys: [{ id: a, key: b }, { id: c, key_hash: "hmac-sha256:${credentialHash('b')}" }]`,
      '`keys[1].key_hash` is the same key as `keys[0].key`',
    ],
    ['teams: { search: { customers: { tier: gold } } }', '`teams.search.customers.tier` names no tier'],
    [
      'tiers: { pro: { requests_per_day: 1 } }\nteams: { s: { customers: { tiers: { "a*": por } } } }',
      'did you mean `pro`?',
    ],
    ['teams: { search: { limit: {} } }', 'unknown setting `teams.search.limit`; did you mean `limits`?'],
    ['teams: { search: { models: [] } }', '`teams.search.models` lists no model'],
    ['teams: { search: { models: ["a b"] } }', '`teams.search.models[0]` is no model pattern'],
    [
      'teams: { search: { customers: { from: cookie } } }',
      '`teams.search.customers.from` is none of its choices',
    ],
    [
      'teams: { search: { limits: { requests_per_second: 0.5 } } }',
      '`teams.search.limits.requests_per_second` is not a whole number',
    ],
    [
      'tiers: { free: { requests_per_seconds: 5 } }',
      'unknown setting `tiers.free.requests_per_seconds`; did you mean `requests_per_second`?',
    ],
    ['tiers: { "a b": { requests_per_second: 5 } }', '`tiers[0]` is not a plain name'],
    ['teams: { search: 1 }', '`teams.search` is not a mapping'],
    [
      'teams: { search: { features: { "a b": { limits: { requests_per_day: 1 } } } } }',
      'is not a plain name',
    ],
  ])('%s is refused, with what would be right', (text, expected) => {
    expect(problemLines(folder, `target_url: http://x\n${text}`).join('\n')).toContain(expected);
  });
});
