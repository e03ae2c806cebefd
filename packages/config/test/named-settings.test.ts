import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { settingChanges } from '../src/index.ts';
import { loadText, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();
const settings = (text: string) => loadText(folder, `target_url: http://x\n${text}`).settings;
const changes = (before: string, after: string) => settingChanges(settings(before), settings(after));
const names = (before: string, after: string) => changes(before, after).map(({ name }) => name);

const KEYS =
  'keys: [{ id: a, key: sk-hidden-a, limits: { requests_per_day: 5 } }, { id: b, key: sk-hidden-b }]';

describe('what has changed in a configuration', () => {
  it('is told by name, and of limits by value', () => {
    const team = 'teams: { search: { limits: { usd_per_day: 50, requests_per_second: 5, burst: 7 } } }';
    expect(
      changes(
        `limits: { requests_per_second: 5 }\nlog_level: info\n${team}`,
        `limits: { requests_per_second: { limit: 5, burst: 9 } }\nlog_level: warn\n${team.replace('50', '80.5').replace('7', '8')}`,
      ),
    ).toEqual([
      { name: 'limits.requests_per_second.limit', before: null, after: 5 },
      { name: 'limits.requests_per_second.burst', before: null, after: 9 },
      { name: 'log_level', before: 'set', after: 'set' },
      { name: 'teams.search.limits.usd_per_day', before: 50, after: 80.5 },
      { name: 'teams.search.limits.burst', before: 7, after: 8 },
      { name: 'limits.requests_per_second', before: 5, after: null },
    ]);
    expect(changes(team, team)).toEqual([]);
  });

  it('goes by the ids of keys, whatever their order, and tells of a new secret without it', () => {
    const turned =
      'keys: [{ id: b, key: sk-hidden-b }, { id: a, limits: { requests_per_day: 5 }, key: sk-hidden-a }]';
    expect(changes(KEYS, turned)).toEqual([]);
    const told = changes(KEYS, KEYS.replace('sk-hidden-b', 'sk-hidden-c').replace('day: 5', 'day: 6'));
    expect(told).toEqual([
      { name: 'keys.a.limits.requests_per_day', before: 5, after: 6 },
      { name: 'keys.b.key', before: 'set', after: 'set' },
    ]);
    expect(names(KEYS, KEYS.replace(/, \{ id: b.*\}/, ''))).toEqual(['keys.b.id', 'keys.b.key']);
  });

  it('sees a secret that changes in its own file', () => {
    const text = 'keys: [{ id: a, key: file:client, upstream_key: file:upstream }]';
    const write = (name: string, secret: string) => writeFileSync(join(folder, name), secret);
    write('client', 'sk-hidden-1');
    write('upstream', 'sk-hidden-up-1');
    const [before, same] = [settings(text), settings(text)];
    expect(settingChanges(before, same)).toEqual([]);
    write('client', 'sk-hidden-2');
    const after = settings(text);
    expect(settingChanges(before, after).map(({ name }) => name)).toEqual(['keys.a.key']);
    write('upstream', 'sk-hidden-up-2');
    expect(settingChanges(after, settings(text)).map(({ name }) => name)).toEqual(['keys.a.upstream_key']);
  });

  it('shows no secret, and no name that is one or a client’s', () => {
    const before = `${KEYS}\napi_keys: { sk-hidden-one: sk-hidden-two }\nteams: { s: { customers: { tiers: { hidden-bob: t } } } }\ntiers: { t: {} }`;
    const after = before.replaceAll('hidden', 'hidden-new').replaceAll('hidden-new-bob', 'hidden-eve');
    const told = changes(before, after);
    expect(told.map(({ name }) => name)).toEqual([
      'keys.a.key',
      'keys.b.key',
      'api_keys',
      'teams.s.customers.tiers',
    ]);
    expect(JSON.stringify([told, [...settings(before)]])).not.toMatch(/hidden/);
  });
});
