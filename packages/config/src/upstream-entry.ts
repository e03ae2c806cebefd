import type { ModelRule } from '@nexus/domain';

/** Where requests go: `https://api.openai.com`, and what is put in front of each path, '' or such as `/proxy`. */
export interface Target {
  readonly origin: string;
  readonly pathPrefix: string;
}

/** After which answers of an upstream a request is sent once more: statuses, and `5xx` for all from 500 on. */
export type RetriedStatus = number | '5xx';

/** One of `upstreams`. Its keys are a private field: nothing that prints, inspects or serialises it shows them. */
export class UpstreamEntry {
  readonly name: string;
  readonly target: Target;
  /** Which models it serves; absent: all. */
  readonly models: ModelRule | undefined;
  /** `models` as they are written. */
  readonly patterns: readonly string[];
  /** What the paths begin with that it serves, in whole segments and lower case, without a slash at their end; empty: all paths. */
  readonly paths: readonly string[];
  /** Answers after which a request is sent to it again; empty: none. */
  readonly retryOn: readonly RetriedStatus[];
  /** How often a request may be sent to it, the first time included. */
  readonly attempts: number;
  /** The name of the upstream that takes what this one can't. It has keys of its own. */
  readonly fallback: string | undefined;
  /** Answers after which a request goes to `fallback`, beside a connection that fails, an open breaker and keys that all cool off. */
  readonly fallbackOn: readonly RetriedStatus[];
  readonly #keys: readonly string[];

  constructor(
    entry: Omit<UpstreamEntry, 'keys'> & {
      readonly keys: readonly string[];
    },
  ) {
    this.name = entry.name;
    this.target = entry.target;
    this.models = entry.models;
    this.patterns = entry.patterns;
    this.paths = entry.paths;
    this.retryOn = entry.retryOn;
    this.attempts = entry.attempts;
    this.fallback = entry.fallback;
    this.fallbackOn = entry.fallbackOn;
    this.#keys = Object.freeze([...entry.keys]);
    Object.freeze(this);
  }

  /** Sent to it in place of the client's; empty: the client's own key passes. */
  get keys(): readonly string[] {
    return this.#keys;
  }
}
