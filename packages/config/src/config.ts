import type { OwnerLimits } from '@nexus/domain';
import type { LimitSet } from './owner-limits.ts';

/** A listed API key. Its secrets are private fields: nothing that prints, inspects or serialises it shows them. */
export class KeyEntry {
  readonly id: string;
  readonly limits: OwnerLimits;
  /** Whether some limit differs from the default. */
  readonly hasOwnLimits: boolean;
  /** The key is unknown from this instant on; undefined: never. */
  readonly expiresMs: number | undefined;
  readonly #hash: string;
  readonly #upstreamKey: string | undefined;

  constructor(entry: {
    id: string;
    limits: OwnerLimits;
    hasOwnLimits: boolean;
    expiresMs: number | undefined;
    hash: string;
    upstreamKey: string | undefined;
  }) {
    this.id = entry.id;
    this.limits = entry.limits;
    this.hasOwnLimits = entry.hasOwnLimits;
    this.expiresMs = entry.expiresMs;
    this.#hash = entry.hash;
    this.#upstreamKey = entry.upstreamKey;
    Object.freeze(this);
  }

  /** `credentialHash` of the key that clients send. */
  get hash(): string {
    return this.#hash;
  }

  /** What is sent upstream instead; undefined: the client's own key passes. */
  get upstreamKey(): string | undefined {
    return this.#upstreamKey;
  }
}

/** A certificate chain and its private key; the key is never printed. */
export class TlsFiles {
  readonly certPem: string;
  readonly #keyPem: string;

  constructor(certPem: string, keyPem: string) {
    this.certPem = certPem;
    this.#keyPem = keyPem;
    Object.freeze(this);
  }

  get keyPem(): string {
    return this.#keyPem;
  }
}

export interface ModelLimits {
  /** As the configuration names it, e.g. `gpt-4o*`. */
  readonly pattern: string;
  readonly matches: (model: string) => boolean;
  readonly limits: OwnerLimits;
}

/** The configuration, checked and frozen to its depth. Printing it shows no secret. */
export interface Config {
  readonly listenHost: string;
  /** 0: any free port. */
  readonly listenPort: number;
  readonly target: {
    /** E.g. `https://api.openai.com`, without a slash at its end. */
    readonly origin: string;
    /** What is put in front of each path: '' or such as `/proxy/openai`, without a slash at its end. */
    readonly pathPrefix: string;
  };
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly tls?: TlsFiles;
  /** Addresses and networks in CIDR notation. */
  readonly trustedProxies: readonly string[];
  /** The limits of a key that has none of its own. */
  readonly keyLimits: LimitSet;
  readonly gateway: OwnerLimits | undefined;
  /** In the order of the file; a model may match several, and all of them hold. */
  readonly models: readonly ModelLimits[];
  /** `keys`, then `api_keys`. */
  readonly keys: readonly KeyEntry[];
  readonly requireKnownKeys: boolean;
  readonly reserve: 'learned' | 'strict';
  readonly onDisconnect: 'cancel' | 'drain';
  readonly askUsage: boolean;
  readonly timeZone: string;
  readonly timeouts: {
    readonly connectMs: number;
    readonly firstByteMs: number;
    readonly idleMs: number;
    readonly drainMs: number;
  };
  readonly bodyLimitBytes: number;
  readonly admin?: { readonly host: string; readonly port: number };
}
