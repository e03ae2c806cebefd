import { isShowable } from './did-you-mean.ts';
import type { Scope } from './later.ts';
import type { ProblemList } from './problems.ts';
import { SCALAR_ENTRIES } from './scalar-settings.ts';
import type { ScalarText } from './scalar-sources.ts';
import { GROUP_LISTS, LIST_SHAPES, MAPPING_FORMS } from './shape.ts';
import { unknownName } from './unknown-name.ts';
import type { MapTree } from './yaml-tree.ts';

const LIST_NAMES: readonly string[] = Object.keys(LIST_SHAPES);

/** The mappings of scalars in the file: `timeouts` holds connect, first_byte, … */
const GROUPS: ReadonlyMap<string, readonly string[]> = Map.groupBy(
  SCALAR_ENTRIES.filter(({ path }) => path.includes('.')).map(({ path }) => path),
  (path) => path.slice(0, path.indexOf('.')),
);

/** Every name that may stand at the top of the file. */
export const TOP_NAMES: readonly string[] = [
  ...new Set([...SCALAR_ENTRIES.map(({ path }) => path.replace(/\..*/, '')), ...LIST_NAMES]),
];

/** Reports every name at the top of the file that is no setting, and lists of keys that are empty. */
export function checkFileNames(tree: MapTree, problems: ProblemList): void {
  for (const [name, { place, value }] of tree.entries) {
    if (!TOP_NAMES.includes(name)) {
      problems.add(place, isShowable(name) ? name : '', unknownName('file', name, TOP_NAMES, ''));
    }
    const empty =
      (value.kind === 'list' && value.items.length === 0) ||
      (value.kind === 'map' && value.entries.size === 0);
    // A template that rendered no key must not open the gateway to every key.
    if (empty && (name === 'keys' || name === 'api_keys')) {
      problems.add(place, name, { wrong: `\`${name}\` lists no key`, remedy: 'list one, or remove it' });
    }
  }
}

/** The scalar settings of the file. Those that are no scalars, or have no value, are problems. */
export function readFileScalars(tree: MapTree, problems: ProblemList): Map<string, ScalarText> {
  const scalars = new Map<string, ScalarText>();
  const read = (path: string, entry: ReturnType<MapTree['entries']['get']>) => {
    if (entry === undefined || entry.value.kind === 'broken') return;
    if (entry.value.kind === 'map' && MAPPING_FORMS.has(path)) return;
    const { place, value } = entry;
    if (value.kind === 'scalar' && value.value !== null) scalars.set(path, { raw: value.value, place });
    else if (value.kind === 'scalar') {
      problems.add(place, path, { wrong: `\`${path}\` has no value`, remedy: 'give it one, or remove it' });
    } else {
      const kind = value.kind === 'list' ? 'list' : 'mapping';
      problems.add(place, path, { wrong: `\`${path}\` is a ${kind}`, remedy: 'write a single value' });
    }
  };
  for (const { path } of SCALAR_ENTRIES) if (!path.includes('.')) read(path, tree.entries.get(path));
  for (const [group, paths] of GROUPS) {
    const entry = tree.entries.get(group);
    if (entry === undefined || entry.value.kind === 'broken') continue;
    const names = paths.map((path) => path.slice(group.length + 1));
    if (entry.value.kind !== 'map') {
      const isNull = entry.value.kind === 'scalar' && entry.value.value === null;
      problems.add(entry.place, group, {
        wrong: `\`${group}\` ${isNull ? 'has no value' : 'is not a mapping'}`,
        remedy: `write such as ${group}: { ${names[0]}: … }, or remove it`,
      });
      continue;
    }
    for (const [name, inner] of entry.value.entries) {
      if (names.includes(name)) read(`${group}.${name}`, inner);
      else if (Object.hasOwn(GROUP_LISTS, `${group}.${name}`)) continue;
      else problems.add(inner.place, group, unknownName(scopeOf(group), name, names, group));
    }
  }
  return scalars;
}

function scopeOf(group: string): Scope {
  if (group === 'admin' || group === 'tls' || group === 'timeouts') return group;
  throw new Error(`no scope for the settings in ${group}`);
}
