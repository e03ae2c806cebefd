import type { OwnerLimits } from './limit.ts';

/** Who a request acts for. */
export interface Principal {
  /** The public name of the key: what logs, metrics and bucket names show. Never the key, nor a part of it. */
  readonly keyId: string;
  /** The key's own limits. */
  readonly limits: OwnerLimits;
  /** The credential to send upstream in place of the client's; absent: the client's own passes through. */
  readonly upstreamKey?: string;
}
