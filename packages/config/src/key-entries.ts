import { KeyEntry } from './config.ts';
import { credentialHash, hashId } from './credential.ts';
import { parseDate } from './expiry.ts';
import { limitSet, type NamedLimits, overrideLimits, ownerLimits, readNamedLimits } from './owner-limits.ts';
import type { Place, ProblemList } from './problems.ts';
import { resolveSecret, type SecretContext, textOf } from './secret-text.ts';
import type { MapTree, Tree } from './yaml-tree.ts';

interface Context extends SecretContext {
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
  const credential = secretAt('key');
  const upstreamKey = secretAt('upstream_key');
  const idEntry = item.entries.get('id');
  const id = textOf(idEntry?.value);
  const idPlace = idEntry?.place ?? item.place;
  if (id !== undefined) taken.id(id, idPlace, `${setting}.id`);
  if (credential !== undefined) {
    taken.credential(credential, item.entries.get('key')?.place ?? item.place, `${setting}.key`);
    if (id === credential) {
      problems.add(idPlace, `${setting}.id`, {
        wrong: `\`${setting}.id\` is the key itself, which logs would show`,
        remedy: 'choose a name',
      });
    }
  }
  if (id === undefined || credential === undefined) return undefined;
  const date = textOf(item.entries.get('expires')?.value);
  return new KeyEntry({
    id,
    limits: ownerLimits(`key:${id}`, limitSet(overrideLimits(context.defaults, own))),
    hasOwnLimits: own.size > 0,
    expiresMs: date === undefined ? undefined : parseDate(date, timeZone),
    hash: credentialHash(credential),
    upstreamKey,
  });
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
  taken.credential(credential, place, setting);
  if (upstreamKey === undefined) return undefined;
  const hash = credentialHash(credential);
  const id = hashId(hash);
  return new KeyEntry({
    id,
    limits: ownerLimits(`key:${id}`, limitSet(context.defaults)),
    hasOwnLimits: false,
    expiresMs: undefined,
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

  credential(credential: string, place: Place, setting: string): void {
    const hash = credentialHash(credential);
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
