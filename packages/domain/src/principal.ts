import type { OwnerLimits } from './limit.ts';

/** Which models may be called. */
export interface ModelRule {
  readonly allows: (model: string) => boolean;
}

/** The key owner's own end user, limited by itself. */
export interface Customer {
  readonly name: string;
  /** The set of limits that it has; absent: none. */
  readonly tier?: string;
  /** Absent: nothing limits it. */
  readonly limits?: OwnerLimits;
  /** Which models its tier may call; absent: it forbids none. */
  readonly modelRule?: ModelRule;
}

/** Whom a team's requests may be for. */
export interface Customers {
  /** Where a request names its customer: the header `x-nexus-customer`, or a field of its body. */
  readonly from: 'header' | 'body.user' | 'body.safety_identifier';
  /**
   * The customer of that name, in the tier that the team's rules give it or, where it is named, in `tier`; undefined where the text can
   * be no name, or the tier is none that may be named.
   */
  readonly find: (name: string, tier?: string) => Customer | undefined;
  /** Whether a request of this key may name its customer's tier, by the header `x-nexus-tier`. */
  readonly mayNameTier: (keyId: string) => boolean;
}

/** Keys that belong together. */
export interface Team {
  readonly name: string;
  /** Of all its keys together; absent: none. */
  readonly limits?: OwnerLimits;
  /** Limits by the feature that `x-nexus-feature` names. */
  readonly features: ReadonlyMap<string, OwnerLimits>;
  /** Absent: its keys name no customers. */
  readonly customers?: Customers;
}

/** Who a request acts for. */
export interface Principal {
  /** The public name of the key: what logs, metrics and bucket names show. Never the key, nor a part of it. */
  readonly keyId: string;
  /** The key's own limits. */
  readonly limits: OwnerLimits;
  readonly team?: Team;
  /** The key's tier. */
  readonly tier?: string;
  /** All of these must allow a model. */
  readonly modelRules: readonly ModelRule[];
  /** Its credential was issued by Nexus: it says nothing to an upstream, and is never sent there. */
  readonly isIssued?: boolean;
  /** The credential to send upstream in place of the client's; absent: the client's own passes through. */
  readonly upstreamKey?: string | undefined;
}
