import type { Customer, Customers } from '@nexus/domain';
import { modelMatcher } from './model-pattern.ts';
import { limitSet, ownerLimits } from './owner-limits.ts';
import type { Tier, Tiers } from './tiers.ts';

/** What a customer may be called: it stands in bucket names, logs and reports. */
const NAME = /^[\x21-\x7e]{1,128}$/;

/** Customers seen lately are remembered; however many are invented, no more memory than this is taken. */
const REMEMBERED = 4_096;

type Matcher = (name: string) => boolean;

/** How a team's customers come to their tiers. */
export interface CustomerRules {
  readonly from: Customers['from'];
  /** By patterns of their names; the first that matches wins. */
  readonly tiers: readonly { readonly pattern: string; readonly tier: Tier }[];
  /** Of those that no pattern matches; absent: none. */
  readonly defaultTier: Tier | undefined;
  /** Patterns of the ids of keys that may name a customer's tier themselves. */
  readonly trustedKeys: readonly string[];
  /** The tiers that these may name. */
  readonly nameable: Tiers;
}

/** The customers of one team: each has the tier that a trusted key names, else that of the first pattern which matches its name, else the default one. */
export class TeamCustomers implements Customers {
  readonly from: Customers['from'];
  readonly #team: string;
  readonly #rules: readonly { readonly matches: Matcher; readonly tier: Tier }[];
  readonly #default: Tier | undefined;
  readonly #trusted: readonly Matcher[];
  readonly #nameable: Tiers;
  /** By the tier that was named, if any, and their own name. */
  readonly #recent = new Map<string, Customer>();

  constructor(team: string, { from, tiers, defaultTier, trustedKeys, nameable }: CustomerRules) {
    this.from = from;
    this.#team = team;
    this.#rules = tiers.map(({ pattern, tier }) => ({ matches: modelMatcher(pattern), tier }));
    this.#default = defaultTier;
    this.#trusted = trustedKeys.map(modelMatcher);
    this.#nameable = nameable;
    Object.freeze(this);
  }

  readonly mayNameTier = (keyId: string): boolean => this.#trusted.some((matches) => matches(keyId));

  readonly find = (name: string, named?: string): Customer | undefined => {
    if (!NAME.test(name)) return undefined;
    // No name holds a space, so none is another's tier and name.
    const place = named === undefined ? name : `${named} ${name}`;
    const known = this.#recent.get(place);
    if (known !== undefined) return known;
    const given = named === undefined ? undefined : this.#nameable.get(named);
    if (named !== undefined && given === undefined) return undefined;
    const tier = given ?? this.#rules.find(({ matches }) => matches(name))?.tier ?? this.#default;
    const customer: Customer = Object.freeze(
      tier === undefined
        ? { name }
        : {
            name,
            tier: tier.name,
            limits: ownerLimits(`customer:${this.#team}/${name}`, limitSet(tier.limits)),
            ...(tier.models === undefined ? {} : { modelRule: tier.models }),
          },
    );
    if (this.#recent.size >= REMEMBERED) this.#recent.clear();
    this.#recent.set(place, customer);
    return customer;
  };
}
