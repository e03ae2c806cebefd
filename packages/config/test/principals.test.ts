// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own ${NAME} stands in these texts.
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { credentialHash } from '../src/credential.ts';
import { parseDate } from '../src/expiry.ts';
import { loadText, problemLines, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();

describe('a listed key', () => {
  it('is found by its whole credential alone', () => {
    const { principals, config } = loadText(
      folder,
      'keys: [{ id: search, key: sk-client-1, upstream_key: sk-up }]',
    );
    expect(config.requireKnownKeys).toBe(true);
    const found = principals.find('sk-client-1');
    expect(found?.keyId).toBe('search');
    expect(found?.limits.owner).toBe('key:search');
    expect(found?.upstreamKey).toBe('sk-up');
    for (const other of [
      '',
      'sk-client-',
      'sk-client-11',
      'SK-CLIENT-1',
      ' sk-client-1',
      'search',
      'sk-up',
      '__proto__',
      'constructor',
    ]) {
      expect(principals.find(other), other).toBeUndefined();
    }
    expect(principals.list()).toEqual(['search']);
  });

  it('without an upstream key lets the client’s own pass', () => {
    const { principals } = loadText(folder, 'keys: [{ id: a, key: sk-a }]');
    const found = principals.find('sk-a');
    expect(found?.keyId).toBe('a');
    expect(found?.upstreamKey).toBeUndefined();
  });

  it('replaces defaults by name, lifts them by `unlimited`, and keeps the others', () => {
    const { principals } = loadText(
      folder,
      'limits: { requests_per_second: 10, burst: 20, requests_per_day: 5, model_tokens_per_minute: 100, max_output_tokens: 9 }\n' +
        'keys:\n  - id: a\n    key: sk-a\n    limits: { requests_per_second: 3, model_tokens_per_minute: unlimited, concurrent_requests: 2 }\n' +
        '  - { id: b, key: sk-b }\n  - { id: c, key: sk-c, limits: { requests_per_second: unlimited } }\n',
    );
    expect(principals.find('sk-a')?.limits).toMatchObject({
      buckets: [
        { name: 'requests_per_second', amount: 3, burst: 3 },
        { name: 'requests_per_day', amount: 5 },
        { name: 'concurrent_requests', slots: 2 },
      ],
      sizes: [{ name: 'max_output_tokens', amount: 9 }],
    });
    expect(principals.find('sk-b')?.limits.buckets).toMatchObject([
      { amount: 10, burst: 20 },
      { amount: 5 },
      { amount: 100 },
    ]);
    expect(principals.find('sk-c')?.limits.buckets).toMatchObject([{ amount: 5 }, { amount: 100 }]);
  });

  it('is unknown after its last day in the time zone, also where unknown keys pass', () => {
    const ends = Date.UTC(2027, 2, 31, 22);
    let now = ends - 1;
    const text =
      'keys: [{ id: a, key: sk-a, expires: 2027-03-31 }]\ntime_zone: Europe/Berlin\nrequire_known_keys: false';
    const { principals } = loadText(folder, text, { nowMs: () => now });
    expect(principals.find('sk-a')?.keyId).toBe('a');
    now = ends;
    expect(principals.find('sk-a')).toBeUndefined();
    expect(principals.find('sk-b')).toBeDefined();
  });

  it('may expire at an instant', () => {
    let now = Date.UTC(2027, 0, 1, 11, 59, 59, 999);
    const text = 'keys: [{ id: a, key: sk-a, expires: "2027-01-01T14:00:00+02:00" }]';
    const { principals } = loadText(folder, text, { nowMs: () => now });
    expect(principals.find('sk-a')).toBeDefined();
    now += 1;
    expect(principals.find('sk-a')).toBeUndefined();
  });

  it.each([
    ['{ id: a }', '`keys[0]` has no `key`'],
    ['{ key: sk-canary }', '`keys[0]` has no `id`'],
    ['{ id: "a b", key: sk-canary }', '`keys[0].id` is not a plain name'],
    ['{ id: 7, key: sk-canary }', '`keys[0].id` is a number; put it in quotes'],
    ['{ id: key-0123456789ab, key: sk-canary }', 'has the form of an unlisted key'],
    ['{ id: sk-canary, key: sk-canary }', '`keys[0].id` is the key itself'],
    ['{ id: a, key: 123 }', '`keys[0].key` is not text; put it in quotes'],
    ['{ id: a, key: "" }', '`keys[0].key` is empty'],
    ['{ id: a, key: }', '`keys[0].key` has no value'],
    ['{ id: a, key: [x] }', '`keys[0].key` is not text'],
    ['{ id: a, key: "Bearer sk-canary" }', 'begins with `Bearer`'],
    ['{ id: a, key: "sk canary" }', 'holds spaces'],
    ['{ id: a, key: "sk-canary\\n" }', 'holds spaces or characters that a header cannot carry'],
    ['{ id: a, key: sk-canäry }', 'holds spaces or characters that a header cannot carry'],
    ['{ id: a, key: sk-canary, expires: 2027-02-30 }', '`keys[0].expires` is not a date'],
    ['{ id: a, key: sk-canary, expires: soon }', '`keys[0].expires` is not a date'],
    ['{ id: a, key: "${EMPTY}" }', '`keys[0].key` is empty'],
    ['sk-canary', '`keys[0]` is not a mapping'],
  ])('%s is a problem', (entry, expected) => {
    const lines = problemLines(folder, `keys: [${entry}]`, { env: { EMPTY: '' } });
    expect(lines).toEqual([expect.stringContaining(expected)]);
    expect(lines.join()).not.toContain('canary');
  });

  it('shares neither its id nor its secret with another, in either form', () => {
    const text =
      'keys:\n  - { id: a, key: sk-canary }\n  - { id: a, key: sk-2 }\n  - { id: c, key: "${SAME}" }\napi_keys:\n  sk-canary: x\n';
    expect(problemLines(folder, text, { env: { SAME: 'sk-canary' } })).toEqual([
      '3: `keys[1].id` is the same as `keys[0].id`; give each key its own id',
      '4: `keys[2].key` is the same key as `keys[0].key`; remove one, or give each entry its own key',
      '6: `api_keys[0]` is the same key as `keys[0].key`; remove one, or give each entry its own key',
    ]);
  });
});

describe('a secret in a file', () => {
  it('is read without the newline at its end, relative to the configuration', () => {
    writeFileSync(join(folder, 'client'), 'sk-from-file\n');
    writeFileSync(join(folder, 'up'), 'sk-up\r\n');
    const text = `keys: [{ id: a, key: "file:client", upstream_key: "file:${join(folder, 'up')}" }]`;
    expect(loadText(folder, text).principals.find('sk-from-file')?.upstreamKey).toBe('sk-up');
    expect(
      loadText(folder, 'api_keys: { "file:client": "file:up" }').principals.find('sk-from-file')?.upstreamKey,
    ).toBe('sk-up');
  });

  it('that is missing, empty, huge, a directory or two lines is a problem', () => {
    writeFileSync(join(folder, 'empty'), '\n');
    writeFileSync(join(folder, 'lines'), 'sk-canary\nsk-canary2\n');
    writeFileSync(join(folder, 'large'), 'x'.repeat(20_000));
    const found = (name: string) => problemLines(folder, `keys: [{ id: a, key: "file:${name}" }]`).join();
    expect(found('gone')).toContain('the file that `keys[0].key` names does not exist');
    expect(found('empty')).toContain('is empty');
    expect(found('lines')).toContain('holds spaces or characters');
    expect(found('large')).toContain('is larger than 16 KB');
    expect(found('.')).toContain('is a directory');
    expect(found('lines')).not.toContain('canary');
  });
});

describe('an unlisted key', () => {
  it('is a principal by its hash with the default limits, the same on every instance', () => {
    const text = 'limits: { requests_per_second: 3 }';
    const one = loadText(folder, text).principals.find('sk-anyone');
    const two = loadText(folder, text).principals.find('sk-anyone');
    const hash = createHmac('sha256', 'nexus credential v1').update('sk-anyone').digest('hex');
    expect(one).toEqual(two);
    expect(one?.keyId).toBe(`key-${hash.slice(0, 12)}`);
    expect(one?.limits).toMatchObject({ owner: `key:key-${hash.slice(0, 12)}`, buckets: [{ amount: 3 }] });
    expect(one !== undefined && 'upstreamKey' in one).toBe(false);
  });

  it('takes no memory for long: only the last thousand or so are remembered', () => {
    const { principals, config } = loadText(folder, 'limits: { requests_per_second: 3 }');
    const first = principals.find('sk-0');
    for (let n = 1; n < 1_100; n++) principals.find(`sk-${n}`);
    expect(principals.list()).toEqual([]);
    expect(principals.find('sk-0')).not.toBe(first);
    expect(principals.find('sk-0')).toEqual(first);
    expect(principals.find('sk-1')?.limits.buckets).toBe(config.keyLimits.buckets);
  });

  it('is refused as soon as keys are listed, unless that is lifted', () => {
    const keys = 'keys: [{ id: a, key: sk-a }]\n';
    expect(loadText(folder, keys).principals.find('sk-b')).toBeUndefined();
    expect(loadText(folder, `${keys}require_known_keys: false`).principals.find('sk-b')).toBeDefined();
  });
});

describe('api_keys', () => {
  it('have ids made from their hashes, so that their order is nothing', () => {
    const ids = (text: string) => loadText(folder, `api_keys: ${text}`).principals;
    const one = ids('{ client-a: up-a, client-b: up-b }');
    const two = ids('{ client-b: up-b, client-a: up-a }');
    expect(one.find('client-a')?.keyId).toBe(two.find('client-a')?.keyId);
    expect(one.find('client-a')?.keyId).toMatch(/^key-[0-9a-f]{12}$/);
    expect(one.list().toSorted()).toEqual(two.list().toSorted());
  });

  it('that are wrong are named by position, never by the key', () => {
    const lines = problemLines(
      folder,
      'api_keys:\n  good: up\n  sk-canary1:\n  sk-canary2: [x]\n  sk-canary3: 5\n  "sk canary4": up\n',
    );
    expect(lines).toEqual([
      expect.stringContaining('3: `api_keys[1]` has no value'),
      expect.stringContaining('4: `api_keys[2]` is not text'),
      expect.stringContaining('5: `api_keys[3]` is not text'),
      expect.stringContaining('6: `api_keys[4]` holds spaces'),
    ]);
    expect(lines.join()).not.toContain('canary');
  });
});

it('A date ends at the midnight of its zone, also where the clocks change', () => {
  expect(parseDate('2027-03-31', 'UTC')).toBe(Date.UTC(2027, 3, 1));
  expect(parseDate('2027-03-27', 'Europe/Berlin')).toBe(Date.UTC(2027, 2, 27, 23));
  expect(parseDate('2027-03-28', 'Europe/Berlin')).toBe(Date.UTC(2027, 2, 28, 22));
  expect(parseDate('2027-12-31', 'America/New_York')).toBe(Date.UTC(2028, 0, 1, 5));
  expect(parseDate('2027-12-31', 'Pacific/Kiritimati')).toBe(Date.UTC(2027, 11, 31, 10));
  expect(parseDate('2027-13-01', 'UTC')).toBeUndefined();
  expect(parseDate('2027-1-1', 'UTC')).toBeUndefined();
  expect(parseDate('2027-01-01T25:00:00Z', 'UTC')).toBeUndefined();
});

describe('an issued key', () => {
  const hash = credentialHash('nxs_one');
  const source = (endsMs: number, more: object = {}) => {
    const record = { id: 'one', ...more };
    return {
      version: 1,
      isKnown: true,
      find: (of: string) => (of === hash ? { record, endsMs } : undefined),
      byId: (id: string) => (id === 'one' ? record : undefined),
    };
  };
  const settings = `limits: { requests_per_second: 1 }
tiers: { pro: { requests_per_second: 3, models: ["!o*"] } }
teams: { search: { each_key: { requests_per_second: 2, concurrent_requests: 5 }, models: ["gpt-*", "o3"] } }
`;

  it('has the limits that a listed one in its place would have', () => {
    const listed = `${settings}keys: [{ id: one, key: nxs_one, team: search, tier: pro, models: ["!*-audio"] }]`;
    const there = loadText(folder, listed).principals.find('nxs_one');
    const here = loadText(folder, settings)
      .principals.with(source(9e15, { team: 'search', tier: 'pro', models: ['!*-audio'] }))
      .find('nxs_one');
    expect(here?.limits).toEqual(there?.limits);
    expect([here?.team?.name, here?.tier, here?.isIssued, there?.isIssued]).toEqual([
      'search',
      'pro',
      true,
      undefined,
    ]);
    for (const model of ['gpt-4o', 'o3', 'gpt-4o-audio', 'claude'])
      expect(here?.modelRules.every((rule) => rule.allows(model))).toBe(
        there?.modelRules.every((rule) => rule.allows(model)),
      );
  });

  it('is refused at its end, and at once when it changes, though it was found a moment ago', () => {
    let nowMs = 1_000;
    const { principals } = loadText(folder, settings, { nowMs: () => nowMs });
    const issued = { ...source(2_000) };
    const known = principals.with(issued);
    const found = known.find('nxs_one');
    expect(known.find('nxs_one')).toBe(found);
    nowMs = 1_999;
    expect(known.find('nxs_one')).toBe(found);
    nowMs = 2_000;
    expect(known.find('nxs_one')).toBeUndefined();
    nowMs = 1_000;
    expect(known.find('nxs_one')).toBe(found);
    issued.find = () => undefined;
    issued.version = 2;
    expect(known.find('nxs_one')).toBeUndefined();
  });

  it('is refused without its team, without its tier, and under the id of a listed one', () => {
    const { principals } = loadText(folder, settings);
    for (const more of [{ team: 'gone' }, { tier: 'gone' }, { team: '__proto__' }, { tier: 'constructor' }])
      expect(principals.with(source(9e15, more)).find('nxs_one')).toBeUndefined();
    const taken = loadText(folder, `${settings}keys: [{ id: one, key: sk-other }]`).principals;
    expect(taken.with(source(9e15)).find('nxs_one')).toBeUndefined();
    expect(taken.with(source(9e15)).find('sk-other')?.keyId).toBe('one');
    expect(taken.with(source(9e15)).byId('one')?.isIssued).toBeUndefined();
  });

  it('that is unknown is refused where others pass, and where none was ever read nobody says it is wrong', () => {
    const { principals } = loadText(folder, settings);
    expect(principals.find('nxs_two')).toBeUndefined();
    expect(principals.find('sk-two')).toBeDefined();
    const unread = principals.with({ ...source(0), isKnown: false });
    expect(() => unread.find('nxs_two')).toThrow(/cannot be checked/);
    expect(unread.find('sk-two')).toBeDefined();
  });
});
