import type { Usage } from './usage.ts';

/** What the ledger keeps of one request that held a reservation: exactly one record for each. */
export interface LedgerEntry {
  /** Nexus' own id of the request: unique, whatever its client calls it. */
  readonly id: string;
  /** What the client and the log see. Two requests may have the same. */
  readonly requestId: string;
  /** When the request arrived and when its answer ended, in milliseconds since 1970. */
  readonly startedMs: number;
  readonly endedMs: number;
  /** `default` where there is but one. */
  readonly tenant: string;
  readonly team?: string | undefined;
  /** The public name of the key. */
  readonly keyId: string;
  readonly customer?: string | undefined;
  readonly feature?: string | undefined;
  /** As the request names it; absent where the body isn't read. */
  readonly model?: string | undefined;
  /** The name of the upstream that answered; absent where there is but one. */
  readonly upstream?: string | undefined;
  /** The HTTP status that the client was sent. */
  readonly status: number;
  readonly ending: 'whole' | 'client left' | 'upstream broke';
  /** False: all that was reserved was given back, and nothing was charged. */
  readonly isCharged: boolean;
  readonly usage: Usage;
  /** In nano-dollars; absent where the model's price isn't known. */
  readonly costNanoUsd?: number | undefined;
}
