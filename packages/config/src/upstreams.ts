import { readModelRule } from './model-rule.ts';
import type { Place } from './problems.ts';
import { resolveSecret, type SecretContext, textOf } from './secret-text.ts';
import { type RetriedStatus, type Target, UpstreamEntry } from './upstream-entry.ts';
import type { MapTree, Tree } from './yaml-tree.ts';

/** The name of `target_url` where it takes what matches no entry of `upstreams`. */
const DEFAULT_NAME = 'default';
/** How often a request is sent where `retry` doesn't say. */
const ATTEMPTS = 2;

interface Context extends SecretContext {
  /** `target_url`, where it is set. */
  readonly target: Target | undefined;
}

/** Reads `upstreams`, whose shape was checked before, and `target_url` as the last of them. Empty: there is the one target alone. */
export function readUpstreams(tree: MapTree, context: Context): readonly UpstreamEntry[] {
  const list = tree.entries.get('upstreams')?.value;
  if (list?.kind !== 'list') return Object.freeze([]);
  const entries: UpstreamEntry[] = [];
  const fallbacks: { readonly entry: UpstreamEntry; readonly setting: string; readonly place: Place }[] = [];
  for (const [index, item] of list.items.entries()) {
    if (item.kind !== 'map') continue;
    const setting = `upstreams[${index}]`;
    const entry = readUpstream(item, setting, context);
    if (entry === undefined) continue;
    const add = (name: string, wrong: string, remedy: string) =>
      context.problems.add(item.entries.get(name)?.place ?? item.place, `${setting}.${name}`, {
        wrong: `\`${setting}.${name}\` ${wrong}`,
        remedy,
      });
    if (entries.some(({ name }) => name === entry.name))
      add('name', 'is another upstream’s name too', 'give each its own');
    if (entry.name === DEFAULT_NAME && context.target)
      add('name', 'is the name that `target_url` has beside `upstreams`', 'choose another');
    if (entry.fallback === undefined && entry.fallbackOn.length > 0)
      add('fallback_on', 'stands without `fallback`', 'name the upstream in `fallback`, or remove it');
    const place = item.entries.get('fallback')?.place;
    if (entry.fallback !== undefined && place)
      fallbacks.push({ entry, setting: `${setting}.fallback`, place });
    entries.push(entry);
  }
  for (const { entry, setting, place } of fallbacks) {
    const other = entries.find(({ name }) => name === entry.fallback);
    const add = (wrong: string, remedy: string) =>
      context.problems.add(place, setting, { wrong: `\`${setting}\` ${wrong}`, remedy });
    if (other === undefined) add('names no upstream', 'write the `name` of another entry');
    else if (other === entry) add('names itself', 'name another entry');
    // A key that was meant for one provider must not reach another.
    else if (other.keys.length === 0) add('names an upstream without keys', 'list `keys` there');
  }
  if (context.target) entries.push(plainEntry(DEFAULT_NAME, context.target));
  return Object.freeze(entries);
}

/** The origin, and the path without slashes at its end. */
export function targetOf(href: string): Target {
  const url = new URL(href);
  return Object.freeze({ origin: url.origin, pathPrefix: url.pathname.replace(/\/+$/, '') });
}

function plainEntry(name: string, target: Target): UpstreamEntry {
  const none = Object.freeze([]);
  return new UpstreamEntry({
    name,
    target,
    models: undefined,
    patterns: none,
    paths: none,
    retryOn: none,
    attempts: 1,
    fallback: undefined,
    fallbackOn: none,
    keys: none,
  });
}

function readUpstream(map: MapTree, setting: string, context: Context): UpstreamEntry | undefined {
  const name = textOf(map.entries.get('name')?.value);
  const href = textOf(map.entries.get('target_url')?.value);
  if (name === undefined || href === undefined || !URL.canParse(href)) return undefined;
  const retry = map.entries.get('retry')?.value;
  const retryMap = retry?.kind === 'map' ? retry : undefined;
  const attempts = retryMap?.entries.get('attempts')?.value;
  const models = map.entries.get('models')?.value;
  return new UpstreamEntry({
    name,
    target: targetOf(href),
    models: readModelRule(models),
    patterns: Object.freeze(itemsOf(models).map(String)),
    paths: Object.freeze(
      itemsOf(map.entries.get('paths')?.value).map((path) => String(path).replace(/\/+$/, '').toLowerCase()),
    ),
    retryOn: statusesOf(retryMap?.entries.get('on')?.value),
    attempts: attempts?.kind === 'scalar' && typeof attempts.value === 'number' ? attempts.value : ATTEMPTS,
    fallback: textOf(map.entries.get('fallback')?.value),
    fallbackOn: statusesOf(map.entries.get('fallback_on')?.value),
    keys: readKeys(map.entries.get('keys')?.value, `${setting}.keys`, context),
  });
}

function readKeys(tree: Tree | undefined, setting: string, context: Context): readonly string[] {
  const keys: string[] = [];
  for (const [index, item] of tree?.kind === 'list' ? tree.items.entries() : []) {
    const at = `${setting}[${index}]`;
    const key = resolveSecret(textOf(item), item.place, at, context);
    if (key === undefined) continue;
    if (keys.includes(key))
      context.problems.add(item.place, at, {
        wrong: `\`${at}\` is the same key as another`,
        remedy: 'remove one',
      });
    keys.push(key);
  }
  return keys;
}

function itemsOf(tree: Tree | undefined): readonly unknown[] {
  return tree?.kind === 'list'
    ? tree.items.flatMap((item) => (item.kind === 'scalar' ? [item.value] : []))
    : [];
}

function statusesOf(tree: Tree | undefined): readonly RetriedStatus[] {
  return Object.freeze(
    itemsOf(tree).filter((value): value is RetriedStatus => typeof value === 'number' || value === '5xx'),
  );
}
