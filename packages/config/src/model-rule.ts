import type { ModelRule } from '@nexus/domain';
import { modelMatcher } from './model-pattern.ts';
import type { Tree } from './yaml-tree.ts';

/** Reads `["gpt-4o*", "!*-audio*"]`, whose shape was checked before. */
export function readModelRule(tree: Tree | undefined): ModelRule | undefined {
  if (tree?.kind !== 'list') return undefined;
  return modelRule(tree.items.flatMap((item) => (item.kind === 'scalar' ? [String(item.value)] : [])));
}

/** A model is allowed if no pattern with `!` matches it, and one without does, where there is such a one. */
export function modelRule(patterns: readonly string[]): ModelRule {
  const matchersOf = (forbids: boolean) =>
    patterns
      .filter((pattern) => pattern.startsWith('!') === forbids)
      .map((pattern) => modelMatcher(pattern.replace(/^!/, '')));
  const forbidding = matchersOf(true);
  const allowing = matchersOf(false);
  return Object.freeze({
    allows: (model: string) =>
      !forbidding.some((matches) => matches(model)) &&
      (allowing.length === 0 || allowing.some((matches) => matches(model))),
  });
}
