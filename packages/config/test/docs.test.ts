import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TOP_NAMES } from '../src/file-settings.ts';
import { configJsonSchema, configurationMarkdown, describeLimits } from '../src/index.ts';
import { LATER } from '../src/later.ts';
import { LIMIT_KINDS } from '../src/limit-settings.ts';
import { SCALAR_ENTRIES } from '../src/scalar-settings.ts';
import { loadText, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();
const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

describe('the documentation', () => {
  it('is what the schema says: else run `node packages/config/scripts/write-docs.ts`', () => {
    expect(read('docs/configuration.md')).toBe(configurationMarkdown());
    expect(JSON.parse(read('docs/config.schema.json'))).toEqual(
      JSON.parse(JSON.stringify(configJsonSchema())),
    );
  });

  it('names every setting, variable, flag and limit, and what is not there yet', () => {
    const text = configurationMarkdown();
    const names = [
      ...SCALAR_ENTRIES.flatMap(({ path, env, arg }) => [path, env, `--${arg}`]),
      ...TOP_NAMES.filter((name) => !['tls', 'timeouts', 'admin'].includes(name)),
      ...LIMIT_KINDS.keys(),
      ...[...LATER.values()].flatMap((later) => [...later]),
    ];
    for (const name of names) expect(text, name).toContain(`\`${name}\``);
  });

  it('has a schema that knows every name of the file', () => {
    const schema: unknown = configJsonSchema();
    expect(schema).toMatchObject({ additionalProperties: false });
    const properties =
      typeof schema === 'object' && schema !== null && 'properties' in schema ? schema.properties : {};
    expect(Object.keys(properties ?? {}).toSorted()).toEqual([...TOP_NAMES].toSorted());
    expect(properties).toMatchObject({
      limits: { additionalProperties: false },
      keys: { items: { required: ['id'], additionalProperties: false } },
      models: { additionalProperties: { required: ['limits'] } },
    });
  });
});

describe('config.yaml', () => {
  const text = read('config.yaml');

  it('has the promised lines alive and nothing else', () => {
    const live = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
    expect(live).toEqual([
      'listen_port: 8080',
      'target_url: https://api.openai.com',
      'limits:',
      '  requests_per_second: 10',
      '  burst: 20',
      '  model_tokens_per_minute: 50000',
    ]);
    expect(loadText(folder, text).config.listenPort).toBe(8_080);
  });

  it('has every other setting as a comment that works once its # is gone', () => {
    // `# ` and a word is prose; `#name` and `#  name` are settings.
    const alive = text.replaceAll(/^#(?! ?[^ ]* )(?=\S)|^#(?= {2})|^#(?=[a-z_]+:)/gm, '');
    const env = {
      ALERT_SECRET: 'x',
      ADMIN_TOKEN: 'a-token-of-enough-letters',
      SEARCH_PROD_KEY: 'sk-1',
      OPENAI_KEY_SEARCH: 'sk-2',
      OPENAI_KEY: 'sk-3',
      AZURE_KEY: 'sk-4',
      ANTHROPIC_KEY: 'sk-5',
    };
    const withoutTls = alive.replace(/^tls: .*$/m, '');
    const { config } = loadText(folder, withoutTls, { env });
    expect(config.keyLimits.buckets.length + config.keyLimits.sizes.length).toBe(LIMIT_KINDS.size);
    expect(config.keys).toHaveLength(2);
    expect(config.admin).toEqual({ host: '127.0.0.1', port: 9_090 });
    for (const name of TOP_NAMES) expect(alive, name).toMatch(new RegExp(`^${name}:`, 'm'));
    for (const { path } of SCALAR_ENTRIES) expect(alive, path).toContain(`${path.split('.').at(-1)}:`);
    // What the comments show as defaults are the defaults.
    for (const { path, shown } of SCALAR_ENTRIES)
      if (shown !== '') expect(alive, path).toContain(`${path.split('.').at(-1)}: ${shown}`);
  });
});

describe('the banner', () => {
  it('tells the limits of each key and of every other owner', () => {
    const { config } = loadText(
      folder,
      'limits: { requests_per_second: 10, burst: 20, model_tokens_per_minute: 50000 }\n' +
        'gateway: { limits: { concurrent_requests: 1 } }\n' +
        'models: { "gpt-4o*": { limits: { output_tokens_per_day: 2000, max_output_tokens: 1 } } }\n' +
        'keys: [{ id: a, key: k1, limits: { requests_per_second: unlimited, model_tokens_per_minute: unlimited } }, { id: b, key: k2 }]\n',
    );
    expect(describeLimits(config)).toEqual([
      'each API key: 10 requests per second (burst 20) · 50,000 tokens per minute',
      'key a: no limits',
      'model gpt-4o*, all keys: 2,000 output tokens per day (UTC) · at most 1 output token a request',
      'all traffic: 1 request at once',
    ]);
  });

  it('stays short however many keys there are', () => {
    const keys = Array.from(
      { length: 500 },
      (_, n) => `  - { id: k${n}, key: s${n}, limits: { requests_per_day: ${n} } }`,
    );
    const lines = describeLimits(loadText(folder, `keys:\n${keys.join('\n')}`).config);
    expect(lines).toHaveLength(12);
    expect(lines.at(-1)).toBe('and 490 more keys with limits of their own');
  });
});
