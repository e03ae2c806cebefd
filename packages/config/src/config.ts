import type { ModelRule, OnRedisFailure, OwnerLimits, Team } from '@nexus/domain';
import type { LimitSet } from './owner-limits.ts';
import type { Target, UpstreamEntry } from './upstream-entry.ts';

/** A listed API key. Its secrets are private fields: nothing that prints, inspects or serialises it shows them. */
export class KeyEntry {
  readonly id: string;
  readonly limits: OwnerLimits;
  /** Whether some limit differs from the default. */
  readonly hasOwnLimits: boolean;
  /** The key is unknown from this instant on; undefined: never. */
  readonly expiresMs: number | undefined;
  readonly team: Team | undefined;
  readonly tier: string | undefined;
  readonly modelRules: readonly ModelRule[];
  readonly #hash: string;
  readonly #upstreamKey: string | undefined;

  constructor(entry: {
    id: string;
    limits: OwnerLimits;
    hasOwnLimits: boolean;
    expiresMs: number | undefined;
    team: Team | undefined;
    tier: string | undefined;
    modelRules: readonly ModelRule[];
    hash: string;
    upstreamKey: string | undefined;
  }) {
    this.id = entry.id;
    this.limits = entry.limits;
    this.hasOwnLimits = entry.hasOwnLimits;
    this.expiresMs = entry.expiresMs;
    this.team = entry.team;
    this.tier = entry.tier;
    this.modelRules = entry.modelRules;
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

/** Where Redis is and how to speak with it. Exactly one of `url`, `sentinels` and `cluster`. It holds secrets. */
export interface RedisReach {
  /** `redis://user:password@host:6379/0`; `rediss://` for TLS. */
  readonly url?: string;
  /** `host:port` each, and the name of the master that they watch. */
  readonly sentinels?: readonly string[];
  readonly name?: string;
  /** `host:port` of some nodes. */
  readonly cluster?: readonly string[];
  readonly username?: string;
  readonly password?: string;
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  readonly tls?: true | { readonly ca?: string; readonly servername?: string };
  /** How long a call may take before it counts as failed. */
  readonly commandTimeoutMs?: number;
}

/** The Redis in which instances share their buckets. What it takes to reach it is a private field, like every secret. */
export class SharedRedis {
  /** For people: where it is, without credentials. */
  readonly shown: string;
  /** What every key in Redis begins with. */
  readonly keyPrefix: string;
  readonly #reach: RedisReach;

  constructor(shown: string, keyPrefix: string, reach: RedisReach) {
    this.shown = shown;
    this.keyPrefix = keyPrefix;
    this.#reach = reach;
    Object.freeze(this);
  }

  get reach(): RedisReach {
    return this.#reach;
  }
}

/** What a token of the admin API is good for. */
export type AdminScope = 'read' | 'keys' | 'budgets';

/** Somebody who may use the admin API. The token itself is not kept, only its hash. */
export class AdminToken {
  readonly id: string;
  readonly scopes: readonly AdminScope[];
  readonly #hash: string;

  constructor(id: string, scopes: readonly AdminScope[], hash: string) {
    this.id = id;
    this.scopes = scopes;
    this.#hash = hash;
    Object.freeze(this);
  }

  /** Hex of the HMAC-SHA-256, as of every credential. */
  get hash(): string {
    return this.#hash;
  }
}

/** Where alerts are posted. The address and the secret are private fields. */
export class Alerts {
  readonly format: 'json' | 'slack';
  readonly #webhook: string;
  readonly #secret: string | undefined;

  constructor(format: 'json' | 'slack', webhook: string, secret: string | undefined) {
    this.format = format;
    this.#webhook = webhook;
    this.#secret = secret;
    Object.freeze(this);
  }

  get webhook(): string {
    return this.#webhook;
  }

  /** Signs what is posted; absent: it goes unsigned. */
  get secret(): string | undefined {
    return this.#secret;
  }
}

/** Where the ledger is kept. The address of PostgreSQL holds a password and is a private field. */
export class LedgerSettings {
  /** The file of a process that is alone, absolute. */
  readonly path: string;
  /** How long records are kept. */
  readonly keepMs: number;
  /** How many records may wait while they can't be kept; absent: what the ledger has room for. */
  readonly queue: number | undefined;
  readonly #postgresUrl: string | undefined;

  constructor(path: string, keepMs: number, postgresUrl: string | undefined, queue?: number) {
    this.path = path;
    this.keepMs = keepMs;
    this.queue = queue;
    this.#postgresUrl = postgresUrl;
    Object.freeze(this);
  }

  /** `postgres://user:password@host:5432/database`; absent: another place keeps it. */
  get postgresUrl(): string | undefined {
    return this.#postgresUrl;
  }
}

/** A price in US dollars: for a million tokens, for a call, for a search. */
export interface PriceSetting {
  /** A model's name or pattern. */
  readonly model: string;
  /** The first day that it holds for, UTC. */
  readonly from?: string | undefined;
  /** The model whose published price it has. */
  readonly sameAs?: string | undefined;
  readonly inputUsdPerMillion?: number;
  readonly cachedInputUsdPerMillion?: number;
  readonly cacheWriteUsdPerMillion?: number;
  readonly cacheWrite1hUsdPerMillion?: number;
  readonly outputUsdPerMillion?: number;
  readonly reasoningUsdPerMillion?: number;
  readonly audioInputUsdPerMillion?: number;
  readonly cachedAudioUsdPerMillion?: number;
  readonly audioOutputUsdPerMillion?: number;
  readonly imageInputUsdPerMillion?: number;
  readonly cachedImageUsdPerMillion?: number;
  readonly imageOutputUsdPerMillion?: number;
  readonly usdPerCall?: number;
  readonly usdPerWebSearch?: number;
}

/** What to do with a model whose price isn't known. */
export type UnknownModel = 'tokens_only' | 'refuse' | `assume:${string}`;

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
  /** `target_url`; where that isn't set and `upstreams` are, the first of them. */
  readonly target: Target;
  /** In the order of the file, `target_url` the last where it stands beside them. Empty: `target` is the one upstream. */
  readonly upstreams: readonly UpstreamEntry[];
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly tls?: TlsFiles;
  /** Addresses and networks in CIDR notation. */
  readonly trustedProxies: readonly string[];
  /** The limits of a key that has none of its own. */
  readonly keyLimits: LimitSet;
  readonly gateway: OwnerLimits | undefined;
  /** In the order of the file; a model may match several, and all of them hold. */
  readonly models: readonly ModelLimits[];
  /** Their names, in the order of the file. */
  readonly tiers: readonly string[];
  /** Where issued keys are kept if there is no Redis: the ledger's file, or `nexus.db` beside the configuration. */
  readonly keyFile: string;
  /** By their names, in the order of the file. */
  readonly teams: ReadonlyMap<string, Team>;
  /** `keys`, then `api_keys`. */
  readonly keys: readonly KeyEntry[];
  readonly requireKnownKeys: boolean;
  /** Absent: the buckets live in this process. */
  readonly redis?: SharedRedis;
  readonly onRedisFailure: {
    /** Of limits that refill and of slots. */
    readonly rates: OnRedisFailure;
    /** Of limits per day and month. */
    readonly budgets: OnRedisFailure;
  };
  /** How long a request may wait for a bucket to refill; 0: not at all. */
  readonly maxWaitMs: number;
  readonly prices: readonly PriceSetting[];
  readonly unknownModel: UnknownModel;
  readonly alerts?: Alerts;
  /** Absent: there is no ledger. */
  readonly ledger?: LedgerSettings;
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
  /** Who may use the admin API. */
  readonly adminTokens: readonly AdminToken[];
}
