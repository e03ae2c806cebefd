import { KeyEntry } from './config.ts';
import { credentialHash, hashId } from './credential.ts';
import { parseDate } from './expiry.ts';
import { keyGovernance } from './key-governance.ts';
import { readModelRule } from './model-rule.ts';
import { limitSet, type NamedLimits, ownerLimits, readNamedLimits } from './owner-limits.ts';
import type { Place, ProblemList } from './problems.ts';
import { resolveSecret, type SecretContext, textOf } from './secret-text.ts';
import type { Teams } from './teams.ts';
import { named, type Tiers } from './tiers.ts';
import type { MapTree, Tree } from './yaml-tree.ts';

const NO_RULES = Object.freeze([]);

interface Context extends SecretContext {
  readonly tiers: Tiers;
  readonly teams: Teams;
  readonly defaults: NamedLimits;
  readonly timeZone: string;
}

/** Builds `keys` and `api_keys`, whose shapes were checked before. */
export function readKeys(tree: MapTree, context: Context): KeyEntry[] {
  const taken = new Taken(context.problems);
  const list = tree.entries.get('keys')?.value;
  const short = tree.entries.get('api_keys')?.value;
  const listed =
    list?.kind === 'list'
      ? list.items.flatMap((item, index) => readKey(item, `keys[${index}]`, taken, context) ?? [])
      : [];
  const pairs =
    short?.kind === 'map'
      ? [...short.entries].flatMap(
          ([name, entry], index) => readPair(name, entry, `api_keys[${index}]`, taken, context) ?? [],
        )
      : [];
  return [...listed, ...pairs];
}

function readKey(item: Tree, setting: string, taken: Taken, context: Context): KeyEntry | undefined {
  if (item.kind !== 'map') return undefined;
  const { problems, timeZone } = context;
  const own = readNamedLimits(item.entries.get('limits')?.value, {
    setting: `${setting}.limits`,
    timeZone,
    problems,
    hasDefault: true,
  });
  const secretAt = (name: string): string | undefined => {
    const entry = item.entries.get(name);
    if (entry === undefined) return undefined;
    return resolveSecret(textOf(entry.value), entry.place, `${setting}.${name}`, context);
  };
  const hash = readHash(item, secretAt('key'), setting, taken, context);
  const upstreamKey = secretAt('upstream_key');
  const idEntry = item.entries.get('id');
  const id = textOf(idEntry?.value);
  const idPlace = idEntry?.place ?? item.place;
  if (id !== undefined) taken.id(id, idPlace, `${setting}.id`);
  if (id !== undefined && hash === credentialHash(id)) {
    problems.add(idPlace, `${setting}.id`, {
      wrong: `\`${setting}.id\` is the key itself, which logs would show`,
      remedy: 'choose a name',
    });
  }
  const team = named(item, 'team', context.teams, { path: `${setting}.team`, what: 'team', problems });
  const tier = named(item, 'tier', context.tiers, { path: `${setting}.tier`, what: 'tier', problems });
  if (id === undefined || hash === undefined) return undefined;
  const date = textOf(item.entries.get('expires')?.value);
  const layers = { defaults: context.defaults, team, tier, own };
  const ownRule = readModelRule(item.entries.get('models')?.value);
  return new KeyEntry({
    id,
    ...keyGovernance(id, layers, ownRule),
    expiresMs: date === undefined ? undefined : parseDate(date, timeZone),
    team: team?.team,
    tier: tier?.name,
    hash,
    upstreamKey,
  });
}

/** The hash of the key that clients send: made from `key`, or given as `key_hash`. */
function readHash(
  item: MapTree,
  credential: string | undefined,
  setting: string,
  taken: Taken,
  { problems }: Context,
): string | undefined {
  const given = item.entries.get('key_hash');
  const isBoth = given !== undefined && item.entries.has('key');
  if (isBoth) {
    const wrong = `\`${setting}\` has both \`key\` and \`key_hash\``;
    problems.add(given.place, setting, { wrong, remedy: 'keep one of them' });
  } else if (given === undefined && !item.entries.has('key')) {
    const remedy = `write such as \`key: \${SEARCH_PROD_KEY}\`, or \`key_hash\` with what \`nexus keys hash\` prints`;
    problems.add(item.place, setting, { wrong: `\`${setting}\` has no \`key\``, remedy });
  }
  const digest = textOf(given?.value)?.replace(/^hmac-sha256:/, '');
  const hash = credential === undefined ? digest : credentialHash(credential);
  const name = credential === undefined ? 'key_hash' : 'key';
  if (hash !== undefined && !isBoth)
    taken.credential(hash, item.entries.get(name)?.place ?? item.place, `${setting}.${name}`);
  return hash;
}

/** One line of the short form: `client key: upstream key`. Its id is made from its hash, so that order is nothing. */
function readPair(
  name: string,
  { place, value }: { place: Place; value: Tree },
  setting: string,
  taken: Taken,
  context: Context,
): KeyEntry | undefined {
  const credential = resolveSecret(name, place, setting, context);
  const upstreamKey = resolveSecret(textOf(value), place, setting, context);
  if (credential === undefined) return undefined;
  const hash = credentialHash(credential);
  taken.credential(hash, place, setting);
  if (upstreamKey === undefined) return undefined;
  const id = hashId(hash);
  return new KeyEntry({
    id,
    limits: ownerLimits(`key:${id}`, limitSet(context.defaults)),
    hasOwnLimits: false,
    expiresMs: undefined,
    team: undefined,
    tier: undefined,
    modelRules: NO_RULES,
    hash,
    upstreamKey,
  });
}

/** Ids and secrets that stand already; two entries may share neither. */
class Taken {
  readonly #ids = new Map<string, string>();
  readonly #hashes = new Map<string, string>();
  readonly #problems: ProblemList;

  constructor(problems: ProblemList) {
    this.#problems = problems;
  }

  id(id: string, place: Place, setting: string): void {
    const first = this.#ids.get(id);
    if (first === undefined) this.#ids.set(id, setting);
    else {
      this.#problems.add(place, setting, {
        wrong: `\`${setting}\` is the same as \`${first}\``,
        remedy: 'give each key its own id',
      });
    }
  }

  credential(hash: string, place: Place, setting: string): void {
    const first = this.#hashes.get(hash);
    if (first === undefined) this.#hashes.set(hash, setting);
    else {
      this.#problems.add(place, setting, {
        wrong: `\`${setting}\` is the same key as \`${first}\``,
        remedy: 'remove one, or give each entry its own key',
      });
    }
  }
}
