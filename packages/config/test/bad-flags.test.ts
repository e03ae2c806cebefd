// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own ${NAME} stands in these texts.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigProblems } from '../src/index.ts';
import { loadText, problemLines, refusal, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();
const GOOD = 'target_url: https://api.openai.com\n';

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
    'listen_port: x\nupstreams: 1\nlimits:\n  requests_per_second: 0.5\n  burst: 0\nkeys:\n  - { id: a }\n';
  expect(String(refusal(() => loadText(folder, text, { args: ['--foo', 'x'] })))).toBe(
    [
      'command line: unknown flag --foo; see nexus -help',
      'config.yaml:1: `listen_port` is not a port; write a whole number from 0 (any free port) to 65535',
      'config.yaml:2: `upstreams` is not a list; write upstreams: [ … ], or one `- …` a line',
      'config.yaml:4: `limits.requests_per_second` is not a whole number; write requests_per_minute: 30',
      'config.yaml:5: `limits.burst` is 0, which would refuse everything; write at least 1, or leave it out; to refuse everything set the limit to 0',
      'config.yaml:7: `keys[0]` has no `key`; write such as `key: ${SEARCH_PROD_KEY}`, or `key_hash` with what `nexus keys hash` prints',
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

it('Whatever the file, the flags and the environment hold, they are accepted or refused with problems', {
  timeout: 120_000,
}, () => {
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
