import { hash } from 'node:crypto';
import type { KeyEntry } from './config.ts';
import { LIMIT_KINDS } from './limit-settings.ts';
import { plainValue } from './shape-problems.ts';
import type { MapTree, Tree } from './yaml-tree.ts';

/** One setting of a file, as it can be compared with that of another. Of secrets it holds a digest alone. */
export interface NamedSetting {
  /** Tells it from every other value. */
  readonly digest: string;
  /** Of a limit the value itself, for people: it can be no secret. Absent: the setting is not shown. */
  readonly shown?: string | number;
}

/** The settings of a file by their names: `log_level`, `keys.search-prod.limits.requests_per_second`. */
export type NamedSettings = ReadonlyMap<string, NamedSetting>;

/** What differs between two files. */
export interface SettingChange {
  readonly name: string;
  /** What it was and is: a limit's value, `set` of everything else, null where it isn't there. */
  readonly before: string | number | null;
  readonly after: string | number | null;
}

/** Mappings whose names come from clients or are secrets: only that they have changed is told. */
const HIDDEN_NAMES = /^api_keys$|^teams\.[^.]+\.customers\.tiers$/;

/** Reads the settings of a file that was found right. A key's secrets are those that hold, also where they stand in files of their own. */
export function namedSettings(tree: MapTree, keys: readonly KeyEntry[]): NamedSettings {
  const settings = new Map<string, NamedSetting>();
  const set = (name: string, value: unknown) => settings.set(name, { digest: digestOf(value) });
  const walk = (name: string, value: Tree, isLimit: boolean): void => {
    if (value.kind === 'map' && !HIDDEN_NAMES.test(name)) {
      for (const [below, entry] of value.entries)
        walk(
          name === '' ? below : `${name}.${below}`,
          entry.value,
          isLimit || LIMIT_KINDS.has(below) || below === 'burst',
        );
    } else if (value.kind === 'list' && value.items.some((item) => item.kind === 'map')) {
      for (const [index, item] of value.items.entries())
        walk(`${name}.${idOf(item) ?? index}`, item, isLimit);
    } else if (isLimit && value.kind === 'scalar' && value.value !== null) {
      settings.set(name, { digest: digestOf(value.value), shown: shownLimit(value.value) });
    } else set(name, plainValue(value));
  };
  walk('', tree, false);
  for (const { id, hash: ofKey, upstreamKey } of keys) {
    if (settings.has(`keys.${id}.key`)) set(`keys.${id}.key`, ofKey);
    if (settings.has(`keys.${id}.upstream_key`)) set(`keys.${id}.upstream_key`, upstreamKey);
  }
  return settings;
}

/** What differs, by name: in the order of the new file, then what is gone. */
export function settingChanges(before: NamedSettings, after: NamedSettings): SettingChange[] {
  const names = new Set([...after.keys(), ...before.keys()]);
  return [...names].flatMap((name) => {
    const [old, now] = [before.get(name), after.get(name)];
    return old?.digest === now?.digest ? [] : [{ name, before: shownOf(old), after: shownOf(now) }];
  });
}

function shownOf(setting: NamedSetting | undefined): string | number | null {
  return setting === undefined ? null : (setting.shown ?? 'set');
}

function shownLimit(value: string | number | boolean): string | number {
  return typeof value === 'boolean' ? String(value) : value;
}

/** What a list's entry is called, where it has a name: entries may change their places. */
function idOf(item: Tree): string | undefined {
  const named = item.kind === 'map' ? (item.entries.get('id') ?? item.entries.get('name')) : undefined;
  const name = named?.value.kind === 'scalar' ? named.value.value : undefined;
  return typeof name === 'string' ? name : undefined;
}

function digestOf(value: unknown): string {
  return hash('sha256', JSON.stringify(value) ?? '', 'base64url');
}
