// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own ${NAME} stands in these texts.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FORMATS } from '../src/formats.ts';
import { loadConfig } from '../src/index.ts';
import { SCALAR_ENTRIES } from '../src/scalar-settings.ts';
import { loadText, problemLines, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();

const PROMISE = `listen_port: 8080
target_url: https://api.openai.com
limits:
  requests_per_second: 10
  burst: 20
  model_tokens_per_minute: 50000
`;

describe('a configuration', () => {
  it('of the promised lines works as it stands', () => {
    const { config, file } = loadText(folder, PROMISE);
    expect(file).toBe('config.yaml');
    expect(config.keyLimits).toEqual({
      buckets: [
        {
          kind: 'rate',
          name: 'requests_per_second',
          counts: 'requests',
          periodMs: 1_000,
          amount: 10,
          burst: 20,
        },
        {
          kind: 'rate',
          name: 'model_tokens_per_minute',
          counts: 'model_tokens',
          periodMs: 60_000,
          amount: 50_000,
          burst: 50_000,
        },
      ],
      sizes: [],
    });
    expect(config.target).toEqual({ origin: 'https://api.openai.com', pathPrefix: '' });
    expect(config.requireKnownKeys).toBe(false);
  });

  it('of a port, a target and api_keys works as it stands', () => {
    const { config, principals } = loadText(
      folder,
      'listen_port: 8080\ntarget_url: "https://api.openai.com"\napi_keys:\n  "nexus-client-demo": "sk-upstream"\n',
    );
    expect(config.requireKnownKeys).toBe(true);
    expect(principals.find('nexus-client-demo')?.upstreamKey).toBe('sk-upstream');
    expect(principals.find('sk-upstream')).toBeUndefined();
  });

  it('has a default for everything', () => {
    const { config } = loadText(folder, 'target_url: http://127.0.0.1:1');
    expect(config).toEqual({
      listenHost: '0.0.0.0',
      listenPort: 8080,
      target: { origin: 'http://127.0.0.1:1', pathPrefix: '' },
      logLevel: 'info',
      trustedProxies: [],
      keyLimits: { buckets: [], sizes: [] },
      gateway: undefined,
      models: [],
      keys: [],
      tiers: [],
      keyFile: join(folder, 'nexus.db'),
      requireKnownKeys: false,
      reserve: 'learned',
      onRedisFailure: { rates: 'local', budgets: 'local' },
      teams: new Map(),
      prices: [],
      unknownModel: 'tokens_only',
      upstreams: [],
      adminTokens: [],
      maxWaitMs: 0,
      onDisconnect: 'cancel',
      askUsage: true,
      timeZone: 'UTC',
      timeouts: { connectMs: 2_000, firstByteMs: 600_000, idleMs: 120_000, drainMs: 600_000 },
      bodyLimitBytes: 10_485_760,
    });
  });

  it('reads every setting', () => {
    const { config } = loadText(
      folder,
      `
listen_port: 0
listen_host: 127.0.0.1
target_url: http://proxy.internal:8000/openai/v2/
log_level: debug
trusted_proxies: [10.0.0.0/8, "fd00::/8", 192.0.2.7]
gateway: { limits: { concurrent_requests: 2000 } }
models: { "gpt-4o*": { limits: { max_output_tokens: 4000 } } }
require_known_keys: false
reserve: strict
on_disconnect: drain
ask_usage: false
time_zone: Europe/Berlin
timeouts: { connect: 250ms, first_byte: 1.5s, idle: 5m, drain: 0s }
body_limit: 512KB
admin: { listen: "[::1]:9090" }
`,
    );
    expect(config).toMatchObject({
      listenPort: 0,
      listenHost: '127.0.0.1',
      target: { origin: 'http://proxy.internal:8000', pathPrefix: '/openai/v2' },
      logLevel: 'debug',
      trustedProxies: ['10.0.0.0/8', 'fd00::/8', '192.0.2.7'],
      gateway: { owner: 'gateway', buckets: [{ kind: 'concurrency', slots: 2_000 }] },
      models: [
        { pattern: 'gpt-4o*', limits: { owner: 'model:gpt-4o*', sizes: [{ kind: 'size', amount: 4_000 }] } },
      ],
      requireKnownKeys: false,
      reserve: 'strict',
      onDisconnect: 'drain',
      askUsage: false,
      timeZone: 'Europe/Berlin',
      timeouts: { connectMs: 250, firstByteMs: 1_500, idleMs: 300_000, drainMs: 0 },
      bodyLimitBytes: 524_288,
      admin: { host: '::1', port: 9_090 },
    });
    expect(config.models[0]?.matches('gpt-4o-mini')).toBe(true);
    expect(config.models[0]?.matches('gpt-4')).toBe(false);
  });

  it('is frozen to its depth', () => {
    const { config } = loadText(
      folder,
      `${PROMISE}keys: [{ id: a, key: sk-a }]\ngateway: { limits: { requests_per_day: 1, max_output_tokens: 2 } }\n` +
        'models: { m: { limits: { concurrent_requests: 1 } } }\nadmin: { listen: 127.0.0.1:0 }\ntrusted_proxies: [::1]\n',
    );
    const thawed: string[] = [];
    const visit = (value: unknown, path: string) => {
      if (typeof value !== 'object' || value === null) return;
      if (!Object.isFrozen(value)) thawed.push(path);
      for (const [name, inner] of Object.entries(value)) visit(inner, `${path}.${name}`);
    };
    visit(config, 'config');
    expect(thawed).toEqual([]);
  });
});

describe('sources', () => {
  it('are stronger in the order file, environment, flags', () => {
    const text = 'listen_port: 1\nlisten_host: 10.0.0.1\nbody_limit: 1MB\n';
    const env = { NEXUS_LISTEN_HOST: '10.0.0.2', NEXUS_BODY_LIMIT: '2MB' };
    const { config } = loadText(folder, text, { env, args: ['--body-limit', '3MB'] });
    expect([config.listenPort, config.listenHost, config.bodyLimitBytes]).toEqual([
      1,
      '10.0.0.2',
      3 * 2 ** 20,
    ]);
  });

  it('give every scalar setting by its variable and by its flag', () => {
    for (const { path, env, arg } of SCALAR_ENTRIES) {
      const bad = { args: [`--${arg}`, '\0'], env: { [env]: '\0' } };
      expect(problemLines(folder, 'log_level: info', bad), path).toEqual([
        expect.stringContaining(`environment: ${env} `),
        expect.stringContaining(`command line: --${arg} `),
      ]);
    }
  });

  it('have defaults that read as they are shown', () => {
    for (const { path, format, default: value, shown } of SCALAR_ENTRIES) {
      if (value === null) expect(shown, path).toBe('');
      else if (format === 'nexus-url')
        expect(FORMATS[format].read(shown), path).toEqual({ ok: true, value: `${value}/` });
      else expect(FORMATS[format].read(shown), path).toEqual({ ok: true, value });
    }
  });

  it('take the file of --config before that of CONFIG_PATH before ./config.yaml', () => {
    writeFileSync(join(folder, 'one.yaml'), 'listen_port: 1');
    mkdirSync(join(folder, 'sub'), { recursive: true });
    writeFileSync(join(folder, 'sub', 'two.yaml'), 'listen_port: 2');
    const env = { CONFIG_PATH: 'one.yaml' };
    expect(loadConfig({ args: [], env, cwd: folder }).config.listenPort).toBe(1);
    const flagged = loadConfig({ args: ['--config', join(folder, 'sub', 'two.yaml')], env, cwd: folder });
    expect(flagged.config.listenPort).toBe(2);
    expect(flagged.file).toBe(join('sub', 'two.yaml'));
    const outside = loadConfig({ args: ['--config=../one.yaml'], env: {}, cwd: join(folder, 'sub') });
    expect(outside.file).toBe(join(folder, 'one.yaml'));
  });

  it('take an empty variable for one that is not set', () => {
    expect(loadText(folder, PROMISE, { env: { NEXUS_LISTEN_PORT: '' } }).config.listenPort).toBe(8_080);
    expect(problemLines(folder, PROMISE, { env: { NEXUS_LISTEN_PORT: ' ' } })).toHaveLength(1);
  });

  it('name a bad value in a weak source even where a strong one is good', () => {
    expect(problemLines(folder, 'listen_port: x', { args: ['--listen-port', '9'] })).toEqual([
      '1: `listen_port` is not a port; write a whole number from 0 (any free port) to 65535',
    ]);
  });
});

describe('variables in the text', () => {
  it('are replaced anywhere, with defaults for unset and empty ones', () => {
    const text =
      'target_url: https://${HOST:-api.openai.com}/${PREFIX}\nlisten_port: ${PORT}\nlimits: { requests_per_second: "${RPS:-7}" }\n';
    const { config } = loadText(folder, text, { env: { PREFIX: 'v', PORT: '81', HOST: '' } });
    expect(config.target).toEqual({ origin: 'https://api.openai.com', pathPrefix: '/v' });
    expect(config.listenPort).toBe(81);
    expect(config.keyLimits.buckets).toMatchObject([{ amount: 7, burst: 7 }]);
  });

  it('are problems where they are unset, with their line', () => {
    expect(problemLines(folder, 'listen_port: 80\ntarget_url: ${UNSET}\nlog_level: ${constructor}')).toEqual([
      '2: the environment variable UNSET is not set; set UNSET, or write ${UNSET:-default}',
      '3: the environment variable constructor is not set; set constructor, or write ${constructor:-default}',
    ]);
  });

  it('are problems where they are malformed', () => {
    for (const text of ['${}', '${1A}', '${A', '${A:-${B}}', '${A-x}', '${A B}']) {
      expect(problemLines(folder, `log_level: '${text}'`, { env: { A: 'info' } }), text).toEqual([
        '1: a reference to the environment is malformed; write ${NAME} or ${NAME:-default} (and $${ for a literal ${)',
      ]);
    }
  });

  it('are not read again: a value cannot refer to another variable', () => {
    const env = { A: '${B}', B: 'info' };
    expect(problemLines(folder, 'log_level: ${A}', { env })).toHaveLength(1);
  });

  it('are no matter to comments', () => {
    expect(loadText(folder, `# \${UNSET}\n${PROMISE}`).config.listenPort).toBe(8_080);
  });
});
