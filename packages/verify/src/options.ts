/** What to verify, and how hard. */
export interface VerifyOptions {
  /** The deployment's front door: `https://nexus.company.com`. */
  readonly url: string;
  /** Addresses of the instances behind it, to be driven one by one; empty: everything goes through `url`. */
  readonly instances: readonly string[];
  /** A key of the deployment. It is sent, and never shown. */
  readonly key: string;
  readonly model: string;
  /** How long each rate is driven. */
  readonly seconds: number;
  /** Connections at once, and the most streams held open. */
  readonly connections: number;
  /** The most calls that a phase may have answered by the upstream. */
  readonly callBudget: number;
  /** The most tokens that the whole run may use. */
  readonly tokenBudget: number;
  /** Whether nobody else uses the key meanwhile: only then can under-use and told waits be judged. */
  readonly alone: boolean;
  /** Under-use, and limits that were not reached, are a no. */
  readonly strict: boolean;
  /** PEM of the authorities to trust in place of the system's. */
  readonly ca?: string | undefined;
}

export const DEFAULTS = {
  model: 'gpt-4o-mini',
  seconds: 20,
  connections: 32,
  callBudget: 20_000,
  tokenBudget: 200_000,
};
