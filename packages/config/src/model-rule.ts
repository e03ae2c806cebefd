import type { ModelRule } from '@nexus/domain';
import { modelMatcher } from './model-pattern.ts';
import type { Tree } from './yaml-tree.ts';

/** Reads `["gpt-4o*", "!*-audio*"]`, whose shape was checked before. */
export function readModelRule(tree: Tree | undefined): ModelRule | undefined {
  if (tree?.kind !== 'list') return undefined;
  return modelRule(tree.items.flatMap((item) => (item.kind === 'scalar' ? [String(item.value)] : [])));
}

/**
 * A model is allowed if no pattern with `!` matches it, and one without does, where there is such a one. What is forbidden is so in capitals too:
 * some upstreams don't tell them apart.
 */
export function modelRule(patterns: readonly string[]): ModelRule {
  const forbidding = patterns
    .filter((pattern) => pattern.startsWith('!'))
    .map((pattern) => modelMatcher(pattern.slice(1).toLowerCase()));
  const allowing = patterns.filter((pattern) => !pattern.startsWith('!')).map(modelMatcher);
  return Object.freeze({
    allows: (model: string) =>
      (forbidding.length === 0 || !isAny(forbidding, model.toLowerCase())) &&
      (allowing.length === 0 || isAny(allowing, model)),
  });
}

function isAny(matchers: readonly ((model: string) => boolean)[], model: string): boolean {
  return matchers.some((matches) => matches(model));
}
