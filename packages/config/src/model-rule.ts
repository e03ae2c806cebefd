import type { ModelRule } from '@nexus/domain';
import { modelMatcher } from './model-pattern.ts';
import type { Tree } from './yaml-tree.ts';

/**
 * Reads `["gpt-4o*", "!*-audio*"]`, whose shape was checked before. A model is allowed if no pattern with `!` matches it, and one
 * without does, where there is such a one.
 */
export function readModelRule(tree: Tree | undefined): ModelRule | undefined {
  if (tree?.kind !== 'list') return undefined;
  const patterns = tree.items.flatMap((item) => (item.kind === 'scalar' ? [String(item.value)] : []));
  const [forbidding, allowing] = [true, false].map((forbids) =>
    patterns
      .filter((pattern) => pattern.startsWith('!') === forbids)
      .map((pattern) => modelMatcher(pattern.replace(/^!/, ''))),
  );
  if (forbidding === undefined || allowing === undefined) return undefined;
  return Object.freeze({
    allows: (model: string) =>
      !forbidding.some((matches) => matches(model)) &&
      (allowing.length === 0 || allowing.some((matches) => matches(model))),
  });
}
