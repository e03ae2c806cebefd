import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { loadText, problemLines, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();
const load = (text: string, given = {}) => loadText(folder, text, given).config;
const ONE = 'name: a, target_url: "http://a"';
const TWO = 'name: b, target_url: "http://b", keys: [hidden-b]';

describe('upstreams', () => {
  it('are none where only target_url is set', () => {
    expect(load('target_url: http://x').upstreams).toEqual([]);
  });

  it('have their models, paths, retries and fallback', () => {
    const text = `upstreams:
      - { ${ONE}, models: ["gpt-*", "!gpt-3*"], paths: [/V1/Chat/, /v1/x], retry: { on: [429, 5xx] }, fallback: b, fallback_on: [503] }
      - { ${TWO} }`;
    const [a, b, ...rest] = load(text).upstreams;
    expect(rest).toEqual([]);
    expect(a).toMatchObject({
      target: { origin: 'http://a', pathPrefix: '' },
      paths: ['/v1/chat', '/v1/x'],
      retryOn: [429, '5xx'],
      attempts: 2,
      fallback: 'b',
      fallbackOn: [503],
      keys: [],
    });
    expect(a?.models?.allows('gpt-4o')).toBe(true);
    expect(a?.models?.allows('gpt-3.5-turbo')).toBe(false);
    expect(b).toMatchObject({ name: 'b', retryOn: [], models: undefined, paths: [], keys: ['hidden-b'] });
  });

  it('have target_url as their last, wherever it is set, and nothing where it is not', () => {
    const list = `upstreams: [{ ${ONE} }]`;
    const names = (text: string, given = {}) => load(text, given).upstreams.map(({ name }) => name);
    expect(names(list)).toEqual(['a']);
    expect(load(list).target.origin).toBe('http://a');
    expect(names(`target_url: http://x\n${list}`)).toEqual(['a', 'default']);
    expect(names(list, { args: ['--target-url', 'http://x'] })).toEqual(['a', 'default']);
    expect(names(list, { env: { NEXUS_TARGET_URL: 'http://x' } })).toEqual(['a', 'default']);
  });

  it('take keys from variables and files, and show them to nobody who prints them', () => {
    writeFileSync(join(folder, 'upstream_key'), 'hidden-2\n');
    const text = `upstreams: [{ ${ONE}, keys: ["\${ONE_KEY}", file:upstream_key] }]`;
    const config = load(text, { env: { ONE_KEY: 'hidden-1' } });
    expect(config.upstreams[0]?.keys).toEqual(['hidden-1', 'hidden-2']);
    expect(inspect(config, { depth: 20, showHidden: true }) + JSON.stringify(config)).not.toContain('hidden');
  });

  it.each([
    ['upstreams: []', '`upstreams` lists no upstream'],
    ['upstreams: {}', '`upstreams` is not a list'],
    ['upstreams: [{ name: a }]', '`upstreams[0]` has no `target_url`; write such as'],
    [`upstreams: [{ ${ONE}, key: x }]`, 'unknown setting `upstreams[0].key`; did you mean `keys`?'],
    [`upstreams: [{ ${ONE}, keys: [] }]`, '`upstreams[0].keys` lists no key'],
    [`upstreams: [{ ${ONE}, keys: ["hidden a"] }]`, '`upstreams[0].keys[0]` holds spaces'],
    [`upstreams: [{ ${ONE}, keys: [hidden-1, hidden-1] }]`, '`upstreams[0].keys[1]` is the same key'],
    [`upstreams: [{ ${ONE}, paths: [v1] }]`, '`upstreams[0].paths[0]` is not the beginning of a path'],
    [`upstreams: [{ ${ONE}, paths: [/v1/../x] }]`, '`upstreams[0].paths[0]` is not the beginning'],
    [`upstreams: [{ ${ONE}, retry: { on: [404] } }]`, '`upstreams[0].retry.on[0]` is no status'],
    [`upstreams: [{ ${ONE}, retry: { on: [429], attempts: 99 } }]`, '`upstreams[0].retry.attempts` is no'],
    [`upstreams: [{ ${ONE}, retry: { at: 1, on: [429] } }]`, 'unknown setting `upstreams[0].retry.at`'],
    [`upstreams: [{ ${ONE}, retry: {} }]`, '`upstreams[0].retry` has no `on`'],
    [`upstreams: [{ ${ONE} }, { ${ONE} }]`, '`upstreams[1].name` is another upstream’s name too'],
    [`upstreams: [{ ${ONE}, fallback: c }]`, '`upstreams[0].fallback` names no upstream'],
    [`upstreams: [{ ${ONE}, fallback: a, keys: [k] }]`, '`upstreams[0].fallback` names itself'],
    [`upstreams: [{ ${ONE}, fallback_on: [429] }]`, '`upstreams[0].fallback_on` stands without `fallback`'],
    [
      `upstreams: [{ ${ONE} }, { ${TWO}, fallback: a }]`,
      '`upstreams[1].fallback` names an upstream without keys',
    ],
    [
      'target_url: http://x\nupstreams: [{ name: default, target_url: "http://a" }]',
      '`upstreams[0].name` is the name that `target_url` has',
    ],
    [
      'upstreams: [{ name: a, target_url: "http://u:hidden@a" }]',
      '`upstreams[0].target_url` holds credentials',
    ],
    ['upstreams: [{ name: "a b", target_url: "http://a" }]', '`upstreams[0].name` is not a plain name'],
  ])('%s is refused', (text, problem) => {
    const lines = problemLines(folder, text).join('\n');
    expect(lines).toContain(problem);
    expect(lines).not.toContain('hidden');
  });
});
