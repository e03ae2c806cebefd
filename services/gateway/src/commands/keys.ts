import { isHelp } from '../help-words.ts';
import { type Flags, flagsOf, isUsage } from './flags.ts';
import type { Outcome } from './keys-outcome.ts';

const HELP = `nexus keys: keys that are made while Nexus runs. Every gateway knows of a change within a second.

  nexus keys create --id ID [--team TEAM] [--tier TIER] [--models LIST] [--expires WHEN]
                         a new key; it is shown this once, on standard output
  nexus keys list [--json]
                         all keys, those in the configuration too
  nexus keys rotate ID [--overlap TIME]
                         a new secret for a key, under the same limits; the one before stays good for a while (24h)
  nexus keys revoke ID   end a key and all its secrets, for good
  nexus keys hash        read a key from standard input, or ask for it, and print what \`key_hash\` takes

  --id ID          the public name: what logs, reports and limits show; 1 to 64 letters, digits, . _ -
  --team TEAM      a team of the configuration
  --tier TIER      a tier of the configuration
  --models LIST    models that it may call, as gpt-4o*,!*-audio*
  --expires WHEN   how long it is good, as 90d, or its last day, as 2027-03-31
  --overlap TIME   how long the secret before stays good, 0s to 90d
  --json           the answer as JSON
  --config FILE    the configuration, which says where keys are kept: in its Redis, else in the ledger's file, else in
                   nexus.db beside it. No gateway has to run.

Examples
  nexus keys create --id search-2 --team search --tier pro --expires 90d
  KEY=$(nexus keys create --id nightly --models 'gpt-4o*,text-embedding-*')
  nexus keys list --json | jq -r '.[] | select(.status == "active") | .id'
  nexus keys rotate search-2 --overlap 7d
  nexus keys revoke search-2
  nexus keys hash < key.txt

Exit codes: 0 done, 1 it can't be done (the message says why), 2 wrong usage.
`;

const TEXT_FLAGS: ReadonlyMap<string, readonly string[]> = new Map([
  ['create', ['config', 'id', 'team', 'tier', 'models', 'expires']],
  ['list', ['config']],
  ['rotate', ['config', 'overlap']],
  ['revoke', ['config']],
  ['hash', []],
]);

/** `nexus keys …`; resolves with the exit code. */
export async function keys([verb = '', ...args]: readonly string[]): Promise<number> {
  if (isHelp(verb) || verb === 'help' || args.some(isHelp)) {
    process.stdout.write(HELP);
    return 0;
  }
  const text = TEXT_FLAGS.get(verb);
  // A word that is no command could be a key: it is not repeated.
  if (text === undefined) return usage('keys', 'it takes create, list, rotate, revoke or hash');
  if (verb === 'hash') {
    // A key in the arguments stands in the shell's history and in the list of processes.
    if (args.length > 0) return usage('keys hash', 'it takes no argument: the key comes from standard input');
    const { hashKey } = await import('./keys-hash.ts');
    return hashKey();
  }
  const flags = flagsOf(args, { text, plain: ['json'] });
  if (isUsage(flags)) return usage(`keys ${verb}`, flags.wrong);
  const [id, ...more] = flags.words;
  const takesId = verb === 'rotate' || verb === 'revoke';
  if (takesId ? id === undefined || more.length > 0 : id !== undefined)
    return usage(`keys ${verb}`, takesId ? 'it takes one id' : 'it takes flags alone');
  const { withKeeper } = await import('./keys-outcome.ts');
  return say(verb, await withKeeper(flags.texts.get('config'), await ask(verb, flags, id ?? '')), flags);
}

type Ask = Parameters<typeof import('./keys-outcome.ts').withKeeper>[1];

async function ask(verb: string, { texts }: Flags, id: string): Promise<Ask> {
  const changes = await import('./keys-changes.ts');
  if (verb === 'create') return changes.create(texts);
  if (verb === 'rotate') return changes.rotate(id, texts.get('overlap'));
  return verb === 'revoke' ? changes.revoke(id) : changes.list();
}

function say(verb: string, outcome: Outcome, { given }: Flags): number {
  if ('usage' in outcome) return usage(`keys ${verb}`, outcome.usage);
  if ('refused' in outcome) {
    process.stderr.write(`nexus: ${outcome.refused}\n`);
    return 1;
  }
  const { json, text, notes } = outcome;
  process.stdout.write(given.has('json') ? `${JSON.stringify(json)}\n` : text);
  for (const note of notes ?? []) process.stderr.write(`${note}\n`);
  return 0;
}

function usage(command: string, wrong: string): number {
  process.stderr.write(`nexus ${command}: ${wrong}. nexus keys -help says more.\n`);
  return 2;
}
