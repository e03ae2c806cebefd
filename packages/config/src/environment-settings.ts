import { nearestName } from './did-you-mean.ts';
import { type Environment, variable } from './interpolation.ts';
import { LATER_SCALARS } from './later.ts';
import type { ProblemList } from './problems.ts';
import { SCALAR_ENTRIES } from './scalar-settings.ts';

export const ENVIRONMENT = { file: 'environment', line: undefined, column: undefined };

/**
 * Texts by the setting's path. An empty variable counts as not set, since `NAME: ${NAME:-}` is how compose files pass
 * one on. Other names that begin with NEXUS_ are left alone (Kubernetes makes such for a service called nexus), unless
 * they are a slip of the pen away from a setting's.
 */
export function readEnvironment(
  environment: Environment,
  references: ReadonlySet<string>,
  problems: ProblemList,
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const names = new Map(SCALAR_ENTRIES.map(({ env, path }) => [env, path]));
  for (const [name, path] of names) {
    const text = variable(environment, name);
    if (text !== undefined && text !== '') values.set(path, text);
  }
  const later = new Set(LATER_SCALARS.map((name) => `NEXUS_${name.toUpperCase()}`));
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('NEXUS_') || names.has(name) || references.has(name) || !variable(environment, name))
      continue;
    if (later.has(name)) {
      problems.add(ENVIRONMENT, name, {
        wrong: `${name} is not supported by this version of Nexus`,
        remedy: 'unset it',
      });
      continue;
    }
    const meant = nearestName(name, names.keys());
    if (meant !== undefined) {
      problems.add(ENVIRONMENT, name, {
        wrong: `unknown variable ${name}`,
        remedy: `did you mean ${meant}?`,
      });
    }
  }
  return values;
}
