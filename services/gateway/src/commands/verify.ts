import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import type { VerifyOptions } from '@nexus/verify';
import { isHelp } from '../help-words.ts';

const HELP = `nexus verify --url URL: drive a running deployment beyond its limits, and judge what it let through.

Asks the gateway for the limits of a key, asks for ten times as much as they allow, and compares what was let through
with what they promise, in every window of time. The calls are real: the upstream answers and bills them.

  --url URL              the gateway, or what stands in front of it: https://nexus.company.com
  --key KEY              a key of the gateway; better in the environment as NEXUS_KEY, where other users can't see it
  --instances URL,URL    the instances behind it, to be driven one by one and compared
  --seconds N            how long each rate is driven (20)
  --connections N        connections at once, and the most streams held open (32)
  --model NAME           the model of the calls that use tokens (gpt-4o-mini)
  --token-budget N       the most tokens that the run may use (200000)
  --call-budget N        the most calls of a phase that may reach the upstream (20000)
  --ca FILE              PEM of the authority that signed the gateway's certificate
  --no-saturation        others use the key meanwhile: don't judge whether all that is allowed was let through
  --strict               exit 1 also where a limit was under-used or could not be driven to its bound
  --dry-run              say what would be done and what it would cost
  --yes                  don't ask before calls are made (without a terminal nobody is asked)
  --json                 the report as JSON

Examples
  NEXUS_KEY=sk-… nexus verify --url https://nexus.company.com
  nexus verify --url https://nexus.company.com --instances http://10.0.0.1:8080,http://10.0.0.2:8080 --dry-run
  nexus verify --url http://127.0.0.1:8080 --key demo-key --seconds 5 --json | jq .verdict

Exit codes: 0 no limit was broken, 1 the answer is no (or the deployment can't be reached), 2 wrong usage.
`;

/** What is wrong with the command line, for the one who wrote it. */
class WrongUsage extends Error {}

interface Asked {
  readonly options: VerifyOptions;
  readonly isJson: boolean;
  readonly isDry: boolean;
  /** Whether to go on without asking. */
  readonly isAgreed: boolean;
}

/** `nexus verify`; resolves with the exit code. */
export async function verify(args: readonly string[]): Promise<number> {
  if (args.some(isHelp)) {
    process.stdout.write(HELP);
    return 0;
  }
  // Loaded only where it is asked for.
  const tool = await import('@nexus/verify');
  try {
    const { options, isJson, isDry, isAgreed } = read(args, process.env, tool.DEFAULTS);
    const say = (line: string) => void process.stderr.write(`${line}\n`);
    const agree = async (plan: string) => {
      (isDry ? process.stdout : process.stderr).write(plan);
      if (isDry) return false;
      return isAgreed || !process.stdin.isTTY || (await saysYes());
    };
    const report = await tool.verify(options, { agree, say });
    if (report === undefined) return isDry ? 0 : 1;
    process.stdout.write(isJson ? `${JSON.stringify(report, null, 2)}\n` : tool.reportText(report));
    return report.exitCode;
  } catch (error) {
    const isUsage = error instanceof WrongUsage;
    if (!isUsage && !(error instanceof tool.VerifyProblem)) throw error;
    process.stderr.write(`nexus verify: ${error.message}\n`);
    return isUsage ? 2 : 1;
  }
}

type Defaults = Pick<VerifyOptions, 'model' | 'seconds' | 'connections' | 'callBudget' | 'tokenBudget'>;

function read(args: readonly string[], env: NodeJS.ProcessEnv, defaults: Defaults): Asked {
  const { values } = parse(args);
  const key = (values.key ?? env.NEXUS_KEY ?? '').trim();
  if (values.url === undefined) throw new WrongUsage('--url is missing: --url https://nexus.company.com');
  // A key is one word of visible characters; anything else could not be sent, and its error would repeat it.
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new WrongUsage('there is no usable key: set NEXUS_KEY in the environment, or give --key');
  const model = values.model ?? defaults.model;
  if (!/^[\x21-\x7e]{1,200}$/.test(model)) throw new WrongUsage('--model is not the name of a model');
  const options: VerifyOptions = {
    url: address('--url', values.url),
    instances: (values.instances ?? '')
      .split(',')
      .filter((url) => url.trim() !== '')
      .map((url) => address('--instances', url)),
    key,
    model,
    seconds: number('--seconds', values.seconds, defaults.seconds, 1, 3_600),
    connections: number('--connections', values.connections, defaults.connections, 1, 10_000),
    callBudget: number('--call-budget', values['call-budget'], defaults.callBudget, 1, 1e9),
    tokenBudget: number('--token-budget', values['token-budget'], defaults.tokenBudget, 0, 1e12),
    alone: !(values['no-saturation'] ?? false),
    strict: values.strict ?? false,
    ca: values.ca === undefined ? undefined : pem(values.ca),
  };
  const { json = false, yes = false, 'dry-run': isDry = false } = values;
  return { options, isJson: json, isDry, isAgreed: yes };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        url: { type: 'string' },
        key: { type: 'string' },
        instances: { type: 'string' },
        seconds: { type: 'string' },
        connections: { type: 'string' },
        model: { type: 'string' },
        'token-budget': { type: 'string' },
        'call-budget': { type: 'string' },
        ca: { type: 'string' },
        'no-saturation': { type: 'boolean' },
        strict: { type: 'boolean' },
        'dry-run': { type: 'boolean' },
        yes: { type: 'boolean' },
        json: { type: 'boolean' },
      },
    });
  } catch (error) {
    // The sentence of parseArgs names the argument, which could be a key in the wrong place.
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const what =
      code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE'
        ? 'an option lacks its value, or has one that it does not take'
        : 'there is an argument that means nothing';
    throw new WrongUsage(`${what}. nexus verify -help lists them all.`);
  }
}

/** An origin with a path or none; SDKs are given `/v1` too, so it may stand there. */
function address(option: string, text: string): string {
  const url = URL.parse(text.trim());
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new WrongUsage(`${option} is not an address: write such as https://nexus.company.com`);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new WrongUsage(`${option} holds more than an address: no password, no query`);
  return `${url.origin}${url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '')}`;
}

function number(
  option: string,
  text: string | undefined,
  otherwise: number,
  least: number,
  most: number,
): number {
  if (text === undefined) return otherwise;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new WrongUsage(`${option} is not a whole number from ${least} to ${most}`);
  return value;
}

function pem(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    throw new WrongUsage(`--ca: ${file} cannot be read`);
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new WrongUsage(`--ca: ${file} holds no certificate in PEM`);
  return text;
}

async function saysYes(): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^\s*y(es)?\s*$/i.test(await lines.question('Go on? [y/N] '));
  } finally {
    lines.close();
  }
}
