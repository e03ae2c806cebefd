import type { ModelRule } from '@nexus/domain';
import { nearestName } from './did-you-mean.ts';
import { readModelRule } from './model-rule.ts';
import { type NamedLimits, readNamedLimits } from './owner-limits.ts';
import type { Place, ProblemList } from './problems.ts';
import { textOf } from './secret-text.ts';
import type { MapTree } from './yaml-tree.ts';

/** A named set of limits. */
export interface Tier {
  readonly name: string;
  readonly limits: NamedLimits;
  readonly models: ModelRule | undefined;
}

export type Tiers = ReadonlyMap<string, Tier>;

/** Reads `tiers`, whose shape was checked before. */
export function readTiers(tree: MapTree, context: { timeZone: string; problems: ProblemList }): Tiers {
  const tiers = new Map<string, Tier>();
  const given = tree.entries.get('tiers')?.value;
  for (const [name, { value }] of given?.kind === 'map' ? given.entries : []) {
    if (value.kind !== 'map') continue;
    const limits = readNamedLimits(value, { setting: `tiers.${name}`, ...context, hasDefault: true });
    tiers.set(name, { name, limits, models: readModelRule(value.entries.get('models')?.value) });
  }
  return tiers;
}

/** What a setting in `map` names, such as the tier of a key. A name that stands for nothing is a problem. */
export function named<T>(
  map: MapTree | undefined,
  setting: string,
  known: ReadonlyMap<string, T>,
  context: { readonly path: string; readonly what: string; readonly problems: ProblemList },
): T | undefined {
  const entry = map?.entries.get(setting);
  const name = textOf(entry?.value);
  if (entry === undefined || name === undefined) return undefined;
  return thingNamed(name, entry.place, known, context);
}

/** What `name` stands for. One that stands for nothing is a problem. */
export function thingNamed<T>(
  name: string,
  place: Place,
  known: ReadonlyMap<string, T>,
  { path, what, problems }: { readonly path: string; readonly what: string; readonly problems: ProblemList },
): T | undefined {
  const found = known.get(name);
  if (found === undefined) {
    const meant = nearestName(name, known.keys());
    problems.add(place, path, {
      wrong: `\`${path}\` names no ${what} of \`${what}s\``,
      remedy: meant === undefined ? `add it to \`${what}s\`, or remove it` : `did you mean \`${meant}\`?`,
    });
  }
  return found;
}
