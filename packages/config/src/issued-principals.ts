import type { ModelRule, OwnerLimits, Principal, Team } from '@nexus/domain';
import { type KeyLayers, keyGovernance } from './key-governance.ts';
import { modelRule } from './model-rule.ts';
import type { NamedLimits } from './owner-limits.ts';
import type { Teams } from './teams.ts';
import type { Tiers } from './tiers.ts';

/** What an issued key's record says that decides whom it acts for. */
export interface IssuedKey {
  readonly id: string;
  readonly team?: string;
  readonly tier?: string;
  readonly models?: readonly string[];
}

/** The keys that Nexus itself issued, as they are known now. */
export interface IssuedKeySource {
  /** Another number after each change of any of them. */
  readonly version: number;
  /** False: they were never read, so that an unknown key may be one of them. */
  readonly isKnown: boolean;
  /**
   * By the `credentialHash` of a whole key. The record is the same object for as long as it doesn't change. The key is refused from
   * `endsMs` on (milliseconds since 1970).
   */
  readonly find: (hash: string) => { readonly record: IssuedKey; readonly endsMs: number } | undefined;
  readonly byId: (id: string) => IssuedKey | undefined;
}

export const NO_ISSUED_KEYS: IssuedKeySource = Object.freeze({
  version: 0,
  isKnown: true,
  find: () => undefined,
  byId: () => undefined,
});

/** An issued key's principal: its own credential is never sent upstream. */
class IssuedPrincipal implements Principal {
  readonly isIssued = true;
  readonly keyId: string;
  readonly limits: OwnerLimits;
  readonly team?: Team;
  readonly tier?: string;
  readonly modelRules: readonly ModelRule[];

  constructor(id: string, limits: OwnerLimits, modelRules: readonly ModelRule[], { team, tier }: KeyLayers) {
    this.keyId = id;
    this.limits = limits;
    if (team !== undefined) this.team = team.team;
    if (tier !== undefined) this.tier = tier.name;
    this.modelRules = modelRules;
    Object.freeze(this);
  }
}

/** What the configuration makes of issued keys: the rules by which a listed key gets its limits. */
export class IssuedKeyRules {
  readonly #defaults: NamedLimits;
  readonly #teams: Teams;
  readonly #tiers: Tiers;
  readonly #listed: ReadonlySet<string>;
  readonly #made = new WeakMap<IssuedKey, Principal>();

  /** @param listed ids of the keys that the configuration lists */
  constructor(defaults: NamedLimits, teams: Teams, tiers: Tiers, listed: Iterable<string>) {
    this.#defaults = defaults;
    this.#teams = teams;
    this.#tiers = tiers;
    this.#listed = new Set(listed);
  }

  /**
   * Whom an issued key acts for. Undefined, so that it is refused: where its team or its tier is no longer in the configuration, since
   * the default limits could be more than it ever had and no team's budget would be charged; and where the configuration lists a key of
   * its id, since two keys would share one name in limits, logs and reports.
   */
  principalOf(key: IssuedKey): Principal | undefined {
    const made = this.#made.get(key);
    if (made) return made;
    const team = key.team === undefined ? undefined : this.#teams.get(key.team);
    const tier = key.tier === undefined ? undefined : this.#tiers.get(key.tier);
    if ((key.team !== undefined && !team) || (key.tier !== undefined && !tier)) return undefined;
    if (this.#listed.has(key.id)) return undefined;
    const layers = { defaults: this.#defaults, team, tier, own: undefined };
    const { limits, modelRules } = keyGovernance(
      key.id,
      layers,
      key.models === undefined ? undefined : modelRule(key.models),
    );
    const principal = new IssuedPrincipal(key.id, limits, modelRules, layers);
    this.#made.set(key, principal);
    return principal;
  }
}
