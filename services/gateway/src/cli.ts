import { check } from './commands/check.ts';
import { explain } from './commands/explain.ts';
import { keys } from './commands/keys.ts';
import { reconcile } from './commands/reconcile.ts';
import { replay } from './commands/replay.ts';
import { simulate } from './commands/simulate.ts';
import { usage } from './commands/usage.ts';
import { verify } from './commands/verify.ts';
import { HELP_WORDS, isHelp } from './help-words.ts';
import { VERSION } from './version.ts';

const HELP = `Nexus ${VERSION}: the gateway between your applications and the AI APIs they call.

Usage
  nexus [serve] [--config FILE] [--simulate] [--SETTING VALUE ...]
                         run the gateway; --simulate puts it in front of a stand-in OpenAI
  nexus check [FILE]     test a configuration: every problem with its line and the remedy
  nexus simulate         run the stand-in OpenAI by itself
  nexus verify           drive a running deployment beyond its limits, and judge what it let through
  nexus keys             create, list, rotate and revoke keys while Nexus runs
  nexus explain ID       say why a request was refused
  nexus replay           try another configuration on requests of the past
  nexus usage            what was used and what it cost, by team, key, customer, model, day
  nexus reconcile FILE   compare the ledger with the provider's usage export
  nexus -help            this page; each command has its own: nexus check -help
  nexus -version         the version

Configuration
  CONFIG_PATH or --config names the file (default ./config.yaml). Each plain setting can also be given in the
  environment (NEXUS_LISTEN_PORT=9000) or as a flag (--listen-port 9000); flags win over the environment, the environment
  over the file. docs/configuration.md has them all.

Examples
  nexus --simulate
  nexus --config /etc/nexus/config.yaml --listen-port 9000
  CONFIG_PATH=/app/config.yaml nexus
  nexus check ./config.yaml

Exit codes: 0 fine, 1 the answer is no (a bad configuration, a port in use), 2 wrong usage.
`;

const VERSION_WORDS = new Set(['-version', '--version', '-v', 'version']);

/** Runs one command line; resolves with the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  const [first = '', ...rest] = args;
  if (HELP_WORDS.has(first)) return say(HELP);
  if (VERSION_WORDS.has(first)) return say(`nexus ${VERSION}\n`);
  switch (first) {
    case 'check':
      return check(rest);
    case 'explain':
      return explain(rest);
    case 'keys':
      return keys(rest);
    case 'reconcile':
      return reconcile(rest);
    case 'replay':
      return replay(rest);
    case 'simulate':
      return simulate(rest);
    case 'usage':
      return usage(rest);
    case 'verify':
      return verify(rest);
    case 'serve':
      return rest.some(isHelp) ? say(HELP) : serve(rest);
    default:
      if (first === '' || first.startsWith('-')) return args.some(isHelp) ? say(HELP) : serve(args);
      process.stderr.write(`nexus: there is no command "${first.slice(0, 60)}". nexus -help lists them.\n`);
      return 2;
  }
}

/** Serving is loaded only where it is asked for: help and checks need none of it. */
async function serve(args: readonly string[]): Promise<number> {
  const command = await import('./commands/serve.ts');
  return command.serve(args);
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}
