// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own ${NAME} stands in these texts.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigProblems, loadConfig } from '../src/index.ts';
import { loadText, problemLines, refusal, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();
const GOOD = 'target_url: https://api.openai.com\n';

describe('a file', () => {
  it('that is missing is a problem that says how to make one, and that no other was named', () => {
    const cwd = join(folder, 'nothing');
    mkdirSync(cwd);
    expect(String(refusal(() => loadConfig({ args: [], env: {}, cwd })))).toBe(
      "config.yaml: the file does not exist, and neither CONFIG_PATH nor --config names another; make one: echo 'target_url: https://api.openai.com' > config.yaml",
    );
    const env = { CONFIG_PATH: 'other.yaml' };
    expect(String(refusal(() => loadConfig({ args: [], env, cwd })))).toBe(
      "other.yaml: the file does not exist; make one: echo 'target_url: https://api.openai.com' > other.yaml",
    );
  });

  it('that is a directory is a problem', () => {
    const load = () => loadConfig({ args: ['--config', '.'], env: {}, cwd: folder });
    expect(String(refusal(load))).toContain('this is a directory; name the file in it');
  });

  it('that may not be read is a problem', () => {
    writeFileSync(join(folder, 'locked.yaml'), GOOD);
    chmodSync(join(folder, 'locked.yaml'), 0);
    const load = () => loadConfig({ args: ['--config', 'locked.yaml'], env: {}, cwd: folder });
    // Root may read everything, so as root the test acts for a moment as nobody.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      expect(String(refusal(load))).toContain('may not be read by this user');
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it('that cannot be read, as a socket, is a problem', async () => {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(join(folder, 'socket.yaml'), listening));
    const load = () => loadConfig({ args: ['--config', 'socket.yaml'], env: {}, cwd: folder });
    expect(String(refusal(load))).toContain('the file cannot be read (ENXIO)');
    await new Promise((closed) => server.close(closed));
  });

  it('whose path goes through a file does not exist', () => {
    writeFileSync(join(folder, 'plain.yaml'), GOOD);
    const load = () => loadConfig({ args: ['--config', 'plain.yaml/x'], env: {}, cwd: folder });
    expect(String(refusal(load))).toContain('the file does not exist');
  });

  it('that is empty, blank, or only comments is a problem', () => {
    expect(problemLines(folder, '')).toEqual([
      '1: the file is empty; write at least `target_url: https://api.openai.com`',
    ]);
    expect(problemLines(folder, ' \n\n')).toEqual([expect.stringContaining('1: the file is empty')]);
    for (const text of ['# only\n# comments\n', '---\n', 'null', '{}', '~']) {
      expect(problemLines(folder, text), text).toEqual([
        expect.stringContaining('1: the file holds no settings'),
      ]);
    }
  });

  it('that is no mapping is a problem', () => {
    expect(problemLines(folder, '- a\n- b')).toEqual([
      expect.stringContaining('the file holds a list instead'),
    ]);
    expect(problemLines(folder, 'target_url')).toEqual([expect.stringContaining('holds a single value')]);
  });

  it('with a byte order mark or Windows line ends is fine, and its lines are counted right', () => {
    expect(loadText(folder, `\uFEFF${GOOD}listen_port: 81`).config.listenPort).toBe(81);
    expect(
      loadText(folder, 'listen_port: 82\r\nlimits:\r\n  requests_per_second: 1\r\n').config.listenPort,
    ).toBe(82);
    expect(problemLines(folder, 'listen_port: 82\r\n\r\nlog_level: x\r\n')).toEqual([
      expect.stringMatching(/^3: /),
    ]);
    expect(problemLines(folder, '\uFEFFlisten_port: x')).toEqual([expect.stringMatching(/^1: /)]);
  });

  it('in Latin-1 or UTF-16 is a problem with the line', () => {
    expect(problemLines(folder, Buffer.from(`${GOOD}# caf\xe9\n`, 'latin1'))).toEqual([
      '2: the file is not UTF-8 text; save it as UTF-8',
    ]);
    expect(problemLines(folder, Buffer.from('\uFEFFlisten_port: 1', 'utf16le'))).toEqual([
      expect.stringContaining('UTF-8'),
    ]);
  });

  it('of 10 MB is refused at once', () => {
    writeFileSync(join(folder, 'huge.yaml'), `a: [${'x,'.repeat(5 * 2 ** 20)}]`);
    const began = performance.now();
    const load = () => loadConfig({ args: ['--config', 'huge.yaml'], env: {}, cwd: folder });
    expect(String(refusal(load))).toContain('larger than 1 MB');
    expect(performance.now() - began).toBeLessThan(250);
  });

  it('of several documents is a problem', () => {
    expect(problemLines(folder, `${GOOD}---\nlisten_port: 1\n`)).toEqual([
      '2: the file holds several YAML documents; keep one, without `---` between',
    ]);
    expect(loadText(folder, `---\n${GOOD}`).config.listenPort).toBe(8_080);
  });
});

describe('YAML', () => {
  it('with tabs, open quotes or wrong indentation is a problem with its line', () => {
    expect(problemLines(folder, `${GOOD}limits:\n\trequests_per_second: 1\n`)).toEqual([
      '3: a tab stands where YAML wants spaces; indent with spaces',
    ]);
    expect(problemLines(folder, `${GOOD}log_level: "info\n`)).toEqual([
      expect.stringContaining('a character is missing'),
    ]);
    expect(problemLines(folder, `${GOOD}listen_port: 1\n  log_level: info\n`)).not.toEqual([]);
    expect(problemLines(folder, `${GOOD}limits: { requests_per_second: 1\n`)).not.toEqual([]);
  });

  it('with an unquoted variable between braces says to quote it', () => {
    expect(problemLines(folder, 'keys: [{ id: a, key: ${KEY} }]')).toEqual([
      '1: ${…} stands unquoted between braces or brackets, where YAML reads a mapping; write it in quotes: "${NAME}"',
    ]);
  });

  it('with a repeated name is a problem at the second, nested or not', () => {
    expect(problemLines(folder, 'listen_port: 1\nlimits:\n  burst: 1\n  burst: 2\nlisten_port: 2\n')).toEqual(
      [
        expect.stringContaining('3: `limits.burst` belongs to'),
        '4: this name stands twice in one mapping, first in line 3; keep one of them',
        '5: this name stands twice in one mapping, first in line 1; keep one of them',
      ],
    );
  });

  it('with anchors, aliases and merge keys works', () => {
    const { config } = loadText(
      folder,
      'limits: &base { requests_per_second: 5, requests_per_day: 9 }\n' +
        'gateway: { limits: *base }\nmodels: { m: { limits: { <<: *base, requests_per_second: 6 } } }\n',
    );
    expect(config.gateway?.buckets).toEqual(config.keyLimits.buckets);
    expect(config.models[0]?.limits.buckets).toMatchObject([{ amount: 6 }, { amount: 9 }]);
  });

  it('names a mistake in an anchor once', () => {
    expect(
      problemLines(
        folder,
        'limits: &base { requests_per_day: -5 }\ngateway: { limits: *base }\nmodels: { m: { limits: { <<: *base } } }',
      ),
    ).toHaveLength(3);
    expect(
      problemLines(folder, 'limits: &base { requests_per_day: "${X}" }\ngateway: { limits: *base }'),
    ).toHaveLength(1);
  });

  it('with an alias to nothing, to itself, or a merge of no mapping is a problem', () => {
    expect(problemLines(folder, 'limits: *gone')).toEqual([
      expect.stringContaining('1: an alias refers to an anchor'),
    ]);
    expect(problemLines(folder, 'limits: &me { requests_per_day: *me }')).toEqual([
      expect.stringContaining('1: an alias'),
    ]);
    expect(problemLines(folder, 'limits: { <<: 3 }')).toEqual([expect.stringContaining('merges something')]);
  });

  it('that expands without end is refused fast: by breadth, by depth, by merging, by nesting', () => {
    const level = (n: number) => `b${n}: &b${n} [${`*b${n - 1},`.repeat(10)}]\n`;
    const breadth = `b0: &b0 [1]\n${Array.from({ length: 40 }, (_, n) => level(n + 1)).join('')}keys: *b40`;
    const depth = `b0: &b0 [1]\n${Array.from({ length: 5_000 }, (_, n) => `b${n + 1}: &b${n + 1} [*b${n}]\n`).join('')}keys: *b5000`;
    const names = Array.from({ length: 5_000 }, (_, n) => `n${n}: 1`).join(', ');
    const merging = `x: &x { ${names} }\ny: { <<: [${'*x,'.repeat(100_000)}] }`;
    const nesting = `keys: ${'['.repeat(5_000)}${']'.repeat(5_000)}`;
    for (const bomb of [breadth, depth, merging, nesting]) {
      const began = performance.now();
      const lines = problemLines(folder, bomb).join('\n');
      expect(lines).toMatch(/expand to more|more than a million names|nested too deeply/);
      expect(performance.now() - began).toBeLessThan(3_000);
    }
  });

  it('with unknown tags is a problem, and a directive does not change how values are read', () => {
    expect(problemLines(folder, 'log_level: !secret info')).toEqual([expect.stringContaining('a YAML tag')]);
    expect(problemLines(folder, '%YAML 1.1\n---\nask_usage: yes\n')).toEqual([
      '3: `ask_usage` is neither true nor false; write true or false',
    ]);
  });

  it('with names of JavaScript is refused and changes no prototype', () => {
    for (const name of ['__proto__', 'constructor', 'prototype']) {
      for (const text of [
        `${name}: { polluted: 1 }`,
        `limits: { ${name}: 1 }`,
        `models: { ${name}: { limits: {} } }`,
        `timeouts: { ${name}: { prototype: { polluted: 1 } } }`,
        `keys: [{ id: a, key: b, ${name}: { polluted: 1 } }]`,
        `api_keys: { ${name}: sk-1 }`,
        `x: &x { ${name}: { polluted: 1 } }\nlimits: { <<: *x }`,
      ]) {
        expect(problemLines(folder, text).join('\n'), text).toContain(`\`${name}\` cannot be a name`);
      }
      expect(problemLines(folder, GOOD, { args: [`--${name}`, 'x'] })).toHaveLength(1);
      expect(problemLines(folder, GOOD, { args: [`--${name}.polluted=x`] })).toHaveLength(1);
    }
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe('a scalar', () => {
  const cases: [string, string][] = [
    ['listen_port: -1', 'is not a port'],
    ['listen_port: 65536', 'is not a port'],
    ['listen_port: 80.5', 'is not a port'],
    ['listen_port: 1e99', 'is not a port'],
    ['listen_port: .nan', 'is not a port'],
    ['listen_port: 80a', 'is not a port'],
    ['listen_port: [80]', 'is a list'],
    ['listen_port: { a: 1 }', 'is a mapping'],
    ['listen_port:', 'has no value'],
    ['listen_host: 300.1.1.1', 'is neither a host name nor an address'],
    ['listen_host: "a b"', 'is neither a host name nor an address'],
    ['target_url: api.openai.com', 'is not a URL'],
    ['target_url: https:api.openai.com', 'is not a URL'],
    ['target_url: ftp://x', 'is neither http nor https'],
    ['target_url: https://a:b@x', 'holds credentials'],
    ['target_url: https://@x', 'holds credentials'],
    ['target_url: https://x?a=1', 'has a query or a fragment'],
    ['target_url: "https://x#a"', 'has a query or a fragment'],
    ['target_url: 3', 'is not a URL'],
    ['log_level: INFO', 'is none of its choices; write debug or info or warn or error'],
    ['ask_usage: yes', 'is neither true nor false'],
    ['time_zone: Mars/Olympus', 'is not an IANA time zone'],
    ['time_zone: +02:00', 'is not an IANA time zone'],
    ['body_limit: 10', 'has no unit; write 10B'],
    ['body_limit: 0B', 'is too small'],
    ['body_limit: 2GB', 'is too large'],
    ['body_limit: 10 MB', 'is not a size'],
    ['timeouts: { connect: 2 }', 'has no unit; write 2s or 2ms'],
    ['timeouts: { connect: 0s }', 'is too short'],
    ['timeouts: { connect: 400d }', 'is too long'],
    ['timeouts: { connect: 0.0001ms }', 'is not a duration'],
    ['timeouts: { connect: -2s }', 'is not a duration'],
    ['timeouts: 2s', '`timeouts` is not a mapping'],
    ['timeouts:', '`timeouts` has no value'],
    ['admin: { listen: 9090 }', 'is not host:port'],
    ['admin: { listen: "::1:9090" }', 'is not host:port'],
    ['admin: { listen: "[127.0.0.1]:9090" }', 'is not host:port'],
    ['admin: { listen: 127.0.0.1:99999 }', 'is not host:port'],
    ['admin: { listen: 127.0.0.1:8080 }', 'has the same port as `listen_port`'],
    ['tls: { cert_file: a.pem }', '`tls.cert_file` stands without `tls.key_file`'],
    ['tls: { cert_file: a.pem, key_file: b.pem }', 'the file that `tls.cert_file` names does not exist'],
    ['require_known_keys: true', 'every request would be refused'],
    ['keys: []', '`keys` lists no key'],
    ['api_keys: {}', '`api_keys` lists no key'],
    ['keys:', '`keys` has no value'],
    ['limits:', '`limits` has no value'],
    ['limits: 3', '`limits` is not a mapping'],
    ['trusted_proxies: 10.0.0.0/8', '`trusted_proxies` is not a list'],
    ['trusted_proxies: [10.0.0.0/33]', '`trusted_proxies[0]` is neither an address nor a network'],
    ['trusted_proxies: [::1, localhost]', '`trusted_proxies[1]` is neither'],
    ['trusted_proxies: [fe80::1%eth0]', '`trusted_proxies[0]` is neither'],
    ['models: { m: {} }', '`models["m"]` has no `limits`'],
    ['models: { "a b": { limits: {} } }', 'a model pattern'],
    ['gateway: { limts: {} }', 'did you mean `limits`?'],
  ];
  it.each(cases)('%s is a problem', (text, expected) => {
    expect(problemLines(folder, text).join('\n')).toContain(expected);
  });

  it('may be a number in quotes', () => {
    expect(loadText(folder, 'listen_port: "81"\nlimits: { requests_per_second: "10" }').config).toMatchObject(
      {
        listenPort: 81,
        keyLimits: { buckets: [{ amount: 10 }] },
      },
    );
  });
});

describe('an unknown name', () => {
  const cases: [string, string][] = [
    ['listen_prot: 1', 'unknown setting `listen_prot`; did you mean `listen_port`?'],
    ['listenPort: 1', 'did you mean `listen_port`?'],
    ['target-url: x', 'did you mean `target_url`?'],
    ['timeouts: { conect: 1s }', 'unknown setting `timeouts.conect`; did you mean `connect`?'],
    [
      'limits: { request_per_second: 1 }',
      'unknown setting `limits.request_per_second`; did you mean `requests_per_second`?',
    ],
    ['gateway: { limits: { concurrent_request: 1 } }', 'did you mean `concurrent_requests`?'],
    ['models: { m: { limits: { bust: 1 } } }', 'did you mean `burst`?'],
    [
      'keys: [{ id: a, key: b, expire: 2027-01-01 }]',
      'unknown setting `keys[0].expire`; did you mean `expires`?',
    ],
    ['requests_per_second: 3', '`requests_per_second` stands outside `limits`; indent it below `limits:`'],
    ['gateway: { requests_per_second: 3 }', '`gateway.requests_per_second` stands outside `limits`'],
    ['colour: red', 'unknown setting `colour`; see docs/configuration.md'],
    ['sk-abcdef123: x', 'a name that is no setting; see'],
  ];
  it.each(cases)('%s gets a hint', (text, expected) => {
    expect(problemLines(folder, text).join('\n')).toContain(expected);
  });
});

describe('what this version cannot keep', () => {
  const LATER = [
    ...['redis_url', 'redis', 'on_redis_failure', 'max_wait', 'unknown_model', 'tiers', 'teams', 'upstreams'],
    ...['prices', 'alerts', 'ledger'],
  ];
  it.each(LATER)('%s is refused by name', (name) => {
    expect(problemLines(folder, `${GOOD}${name}: x`)).toEqual([
      `2: \`${name}\` is not supported by this version of Nexus; remove it`,
    ]);
  });

  it.each([
    ['admin: { tokens: [] }', 'admin.tokens'],
    ['keys: [{ id: a, key: b, team: x }]', 'keys[0].team'],
    ['keys: [{ id: a, key: b, tier: x }]', 'keys[0].tier'],
    ['keys: [{ id: a, key: b, key_hash: x }]', 'keys[0].key_hash'],
    ['limits: { usd_per_month: 1 }', 'limits.usd_per_month'],
    ['gateway: { limits: { usd_per_day: 1 } }', 'gateway.limits.usd_per_day'],
    ['limits: { requests_per_day: { limit: 1, shadow: true } }', 'limits.requests_per_day.shadow'],
    ['limits: { requests_per_day: { limit: 1, alert_at: [50%] } }', 'limits.requests_per_day.alert_at'],
    [
      'limits: { requests_per_day: { limit: 1, on_redis_failure: open } }',
      'limits.requests_per_day.on_redis_failure',
    ],
  ])('%s is refused by name', (text, name) => {
    expect(problemLines(folder, text)).toEqual([
      `1: \`${name}\` is not supported by this version of Nexus; remove it`,
    ]);
  });

  it('is refused as a variable and as a flag too', () => {
    const given = { env: { NEXUS_REDIS_URL: 'redis://:secret@x' }, args: ['--max-wait', '3s'] };
    expect(problemLines(folder, GOOD, given)).toEqual([
      'command line: --max-wait is not supported by this version of Nexus; remove it',
      'environment: NEXUS_REDIS_URL is not supported by this version of Nexus; unset it',
    ]);
  });
});

describe('flags and variables', () => {
  it('that are unknown, without a value, or out of place are problems', () => {
    const args = [
      '--listen-prot',
      '81',
      '--foo=sk-secret',
      '--listen-port',
      '--log-level=',
      'stray',
      '-p',
      '--config',
    ];
    expect(problemLines(folder, GOOD, { args })).toEqual([
      'command line: unknown flag --listen-prot; did you mean --listen-port?',
      'command line: unknown flag --foo; see nexus -help',
      'command line: --listen-port has no value; write --listen-port 8080',
      'command line: --log-level has no value; write --log-level info',
      'command line: argument 6 is no flag; write --name value, such as --listen-port 8080',
      'command line: argument 7 is no flag; write --name value, such as --listen-port 8080',
      'command line: --config has no value; write --config VALUE',
    ]);
  });

  it('with a bad number are problems that name the source', () => {
    expect(
      problemLines(folder, GOOD, { env: { NEXUS_LISTEN_PORT: '80a' }, args: ['--timeouts-connect', '2'] }),
    ).toEqual([
      'environment: NEXUS_LISTEN_PORT is not a port; write a whole number from 0 (any free port) to 65535',
      'command line: --timeouts-connect has no unit; write 2s or 2ms',
    ]);
  });

  it('that are a slip away from a setting are problems; others that begin with NEXUS_ are not', () => {
    const env = {
      NEXUS_LISTEN_PROT: '1',
      NEXUS_PORT: 'tcp://10.0.0.1:80',
      NEXUS_SERVICE_HOST: '10.0.0.1',
      NEXUS_DEMO_KEY: 'x',
    };
    expect(problemLines(folder, GOOD, { env })).toEqual([
      'environment: unknown variable NEXUS_LISTEN_PROT; did you mean NEXUS_LISTEN_PORT?',
    ]);
  });
});

it('Everything wrong is named at once, in the order of the lines, as file:line: wrong; right', () => {
  const text =
    'listen_port: x\nteams: 1\nlimits:\n  requests_per_second: 0.5\n  burst: 0\nkeys:\n  - { id: a }\n';
  expect(String(refusal(() => loadText(folder, text, { args: ['--foo', 'x'] })))).toBe(
    [
      'command line: unknown flag --foo; see nexus -help',
      'config.yaml:1: `listen_port` is not a port; write a whole number from 0 (any free port) to 65535',
      'config.yaml:2: `teams` is not supported by this version of Nexus; remove it',
      'config.yaml:4: `limits.requests_per_second` is not a whole number; write requests_per_minute: 30',
      'config.yaml:5: `limits.burst` is 0, which would refuse everything; write at least 1, or leave it out; to refuse everything set the limit to 0',
      'config.yaml:7: `keys[0]` has no `key`; write such as `key: ${SEARCH_PROD_KEY}`',
    ].join('\n'),
  );
});

it('A thousand problems are counted, not all printed', () => {
  const text = Array.from({ length: 1_000 }, (_, n) => `- { id: k${n} }`).join('\n');
  const problems = refusal(() => loadText(folder, `keys:\n${text}\n`));
  expect(problems.problems).toHaveLength(1_000);
  expect(String(problems).split('\n')).toHaveLength(101);
  expect(String(problems)).toContain('and 900 more problems');
});

it('Whatever the file, the flags and the environment hold, they are accepted or refused with problems', () => {
  const pieces = [
    ...[
      'listen_port',
      'limits',
      'keys',
      'api_keys',
      'models',
      'gateway',
      'timeouts',
      'burst',
      'requests_per_second',
      'id',
      'key',
    ],
    ...[
      ': ',
      ':',
      '\n',
      '\n  ',
      '\n    ',
      '- ',
      '{ ',
      ' }',
      '[',
      ']',
      ', ',
      '"',
      "'",
      '&a ',
      '*a',
      '<<: ',
      '#',
      '---\n',
      '!x ',
    ],
    ...[
      '0',
      '-1',
      '.nan',
      '1e400',
      'null',
      '~',
      'true',
      '${A}',
      '${B:-x}',
      '${',
      '\t',
      '|',
      '>',
      '?',
      '\0',
      '\u2028',
      'é',
      '__proto__',
    ],
  ];
  const text = fc.array(fc.constantFrom(...pieces), { maxLength: 40 }).map((parts) => parts.join(''));
  const args = fc.array(fc.oneof(text, fc.constantFrom('--listen-port', '--config', '--', '-', '--=x')), {
    maxLength: 3,
  });
  fc.assert(
    fc.property(text, args, text, (file, flags, variable) => {
      try {
        loadText(folder, file, { args: flags, env: { A: variable, NEXUS_LISTEN_PORT: variable } });
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigProblems);
      }
    }),
    { numRuns: 2_000 },
  );
});
