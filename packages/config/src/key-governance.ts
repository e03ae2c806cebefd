import type { ModelRule, OwnerLimits } from '@nexus/domain';
import { limitSet, type NamedLimits, overrideLimits, ownerLimits } from './owner-limits.ts';
import type { TeamEntry } from './teams.ts';
import type { Tier } from './tiers.ts';

/** Whose limits a key's are made of: each layer replaces what it names of those before it. */
export interface KeyLayers {
  readonly defaults: NamedLimits;
  /** Its `each_key`. */
  readonly team: TeamEntry | undefined;
  readonly tier: Tier | undefined;
  readonly own: NamedLimits | undefined;
}

/** The limits and model rules of a key, listed or issued. */
export function keyGovernance(
  id: string,
  { defaults, team, tier, own }: KeyLayers,
  ownRule: ModelRule | undefined,
): {
  readonly limits: OwnerLimits;
  /** Whether some limit differs from the default. */
  readonly hasOwnLimits: boolean;
  readonly modelRules: readonly ModelRule[];
} {
  const layers = [team?.eachKey, tier?.limits, own].filter((layer) => layer !== undefined);
  const rules = [ownRule, tier?.models].filter((rule) => rule !== undefined);
  return {
    limits: ownerLimits(`key:${id}`, limitSet(layers.reduce(overrideLimits, defaults))),
    hasOwnLimits: layers.some(({ size }) => size > 0),
    modelRules: Object.freeze([...(team?.modelRules ?? []), ...rules]),
  };
}
