import type { Customer, Customers } from '@nexus/domain';
import { modelMatcher } from './model-pattern.ts';
import { limitSet, ownerLimits } from './owner-limits.ts';
import type { Tier } from './tiers.ts';

/** What a customer may be called: it stands in bucket names, logs and reports. */
const NAME = /^[\x21-\x7e]{1,128}$/;

/** Customers seen lately are remembered; however many are invented, no more memory than this is taken. */
const REMEMBERED = 4_096;

/** The customers of one team: each has the tier of the first pattern that matches its name, else the default one. */
export class TeamCustomers implements Customers {
  readonly from: Customers['from'];
  readonly #team: string;
  readonly #rules: readonly { readonly matches: (name: string) => boolean; readonly tier: Tier }[];
  readonly #default: Tier | undefined;
  readonly #recent = new Map<string, Customer>();

  constructor(
    team: string,
    from: Customers['from'],
    rules: readonly { readonly pattern: string; readonly tier: Tier }[],
    defaultTier: Tier | undefined,
  ) {
    this.from = from;
    this.#team = team;
    this.#rules = rules.map(({ pattern, tier }) => ({ matches: modelMatcher(pattern), tier }));
    this.#default = defaultTier;
    Object.freeze(this);
  }

  readonly find = (name: string): Customer | undefined => {
    const known = this.#recent.get(name);
    if (known !== undefined) return known;
    if (!NAME.test(name)) return undefined;
    const tier = this.#rules.find(({ matches }) => matches(name))?.tier ?? this.#default;
    const customer: Customer = Object.freeze(
      tier === undefined
        ? { name }
        : {
            name,
            tier: tier.name,
            limits: ownerLimits(`customer:${this.#team}/${name}`, limitSet(tier.limits)),
          },
    );
    if (this.#recent.size >= REMEMBERED) this.#recent.clear();
    this.#recent.set(name, customer);
    return customer;
  };
}
