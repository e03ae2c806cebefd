import { FAULTS, type FaultName, isFaultName } from './faults.ts';
import type { SimulatorOptions } from './options.ts';
import { isTierName, TIERS, type TierName } from './tiers.ts';

/** What a command line asks for. */
export type SimulatorCommand =
  | { readonly kind: 'start'; readonly options: SimulatorOptions; readonly fault: FaultName | undefined }
  | { readonly kind: 'help' }
  /** Wrong usage: exit with 2 after printing the message. */
  | { readonly kind: 'wrong'; readonly message: string };

/** Where `nexus simulate` listens unless told otherwise. */
const DEFAULT_PORT = 9999;

const FLAGS = [
  '--port',
  '--host',
  '--latency',
  '--tokens',
  '--tokens-per-second',
  '--tier',
  '--quota',
  '--fault',
  '--help',
];

interface Given {
  port: number;
  host?: string;
  latencyMs?: number;
  outputTokens?: number;
  tokensPerSecond?: number;
  tier?: TierName;
  quotaTokens?: number;
}

/** Reads a command line without the program's name. `--flag value`, `--flag=value`, and both with a single dash. */
export function parseSimulatorArgs(args: readonly string[]): SimulatorCommand {
  const wrong = (message: string): SimulatorCommand => ({
    kind: 'wrong',
    message: `${message}\nTry --help for all flags and examples.`,
  });
  const options: Given = { port: DEFAULT_PORT };
  let fault: FaultName | undefined;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    const match = /^--?([a-z-]+)(?:=(.*))?$/s.exec(arg);
    const flag = `--${match?.[1]}`;
    if (flag === '--help' || arg === '-h') return { kind: 'help' };
    if (match === null)
      return wrong(`Unexpected argument ${JSON.stringify(arg)}. The flags are ${FLAGS.join(', ')}.`);
    if (!FLAGS.includes(flag)) return wrong(`There is no flag ${arg}. The flags are ${FLAGS.join(', ')}.`);
    const value = match[2] ?? args[++i];
    if (value === undefined || value === '') return wrong(`${flag} needs a value, as ${EXAMPLES.get(flag)}.`);
    const example = `as ${EXAMPLES.get(flag)}`;
    switch (flag) {
      case '--port':
        options.port = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
        if (!(options.port <= 65_535))
          return wrong(`--port takes a number from 0 to 65535, ${example}; not "${value}".`);
        break;
      case '--host':
        options.host = value;
        break;
      case '--latency': {
        const ms = parseDuration(value);
        if (ms === undefined)
          return wrong(`--latency takes a time with its unit, ms, s or m, ${example}; not "${value}".`);
        options.latencyMs = ms;
        break;
      }
      case '--tokens':
        options.outputTokens = /^\d{1,7}$/.test(value) ? Number(value) : Number.NaN;
        if (Number.isNaN(options.outputTokens))
          return wrong(`--tokens takes a whole number, ${example}; not "${value}".`);
        break;
      case '--quota':
        options.quotaTokens = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
        if (Number.isNaN(options.quotaTokens))
          return wrong(`--quota takes a whole number of tokens, ${example}; not "${value}".`);
        break;
      case '--tier':
        if (!isTierName(value)) return wrong(`--tier takes ${TIERS.join(', ')}, ${example}; not "${value}".`);
        options.tier = value;
        break;
      case '--tokens-per-second':
        options.tokensPerSecond = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
        if (!Number.isFinite(options.tokensPerSecond)) {
          return wrong(
            `--tokens-per-second takes a number, ${example}; 0 is as fast as possible; not "${value}".`,
          );
        }
        break;
      default:
        if (!isFaultName(value))
          return wrong(`There is no fault "${value}". The faults are ${Object.keys(FAULTS).join(', ')}.`);
        fault = value;
    }
  }
  return { kind: 'start', options, fault };
}

const EXAMPLES = new Map([
  ['--port', '--port 9999'],
  ['--host', '--host 127.0.0.1'],
  ['--latency', '--latency 200ms'],
  ['--tokens', '--tokens 400'],
  ['--tokens-per-second', '--tokens-per-second 50'],
  ['--tier', '--tier 1'],
  ['--quota', '--quota 100000'],
  ['--fault', '--fault error-429'],
]);

/** Milliseconds of `250ms`, `1.5s`, `2m` or `0`, up to ten minutes; undefined for anything else. */
function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text === '0' ? '0ms' : text);
  if (match === null) return undefined;
  const ms = Number(match[1]) * (match[2] === 'm' ? 60_000 : match[2] === 's' ? 1_000 : 1);
  return ms <= 600_000 ? ms : undefined;
}

/** The text of `--help`. `program` is how the command was called. */
export function simulatorHelp(program: string): string {
  const width = Math.max(...Object.keys(FAULTS).map((name) => name.length));
  const faults = Object.entries(FAULTS).map(([name, meaning]) => `  ${name.padEnd(width)}  ${meaning}`);
  return `A stand-in for OpenAI's and Anthropic's APIs: realistic answers, streams, usage and headers, no key and no bill.

Usage: ${program} [flags]

  --port 9999               where it listens; 0 takes any free port
  --host 127.0.0.1          the address it listens on
  --latency 200ms           wait before each answer (default 0)
  --tokens 400              length of answers (default 16)
  --tokens-per-second 50    pace of streams (default 0: as fast as possible)
  --tier 1                  OpenAI's limits of this tier for each key and model: free, 1, 2, 3, 4 or 5
  --quota 100000            tokens after which a key's quota is spent
  --fault NAME              every answer goes wrong in this way
  --help                    this text

Examples:
  ${program}
  ${program} --latency 300ms --tokens-per-second 50
  ${program} --tier 1
  ${program} --port 9001 --fault reset-midstream

A request steers its own answer by headers:
  x-simulate-tokens: 500             length of the answer
  x-simulate-latency-ms: 2000        before the head of the answer
  x-simulate-first-byte-ms: 500      between its head and its body
  x-simulate-tokens-per-second: 20   pace of the stream
  x-simulate-cached-tokens: 10       part of the prompt that the usage calls cached
  x-simulate-reasoning-tokens: 64    counted as output besides the text
  x-simulate-fault: NAME             goes wrong in this way; none: doesn't
  x-simulate-after-chunks: 3         for faults in the middle: chunks before it
  x-simulate-retry-after-ms: 1000    for error-429 and error-503
  x-simulate-location: URL           for redirect-302

Faults:
${faults.join('\n')}
`;
}

/** What is printed once it listens. */
export function simulatorBanner(url: string, fault?: FaultName): string {
  return `A stand-in for OpenAI's API listens on ${url}${fault === undefined ? '' : `, with the fault ${fault}`}
Try it:

  curl ${url}/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}'
`;
}
