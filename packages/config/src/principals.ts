import { GatewayError, type ModelRule, type OwnerLimits, type Principal, type Team } from '@nexus/domain';
import type { Config, KeyEntry } from './config.ts';
import { credentialHash, hashId, isHashId } from './credential.ts';
import { IssuedKeyRules, type IssuedKeySource, NO_ISSUED_KEYS } from './issued-principals.ts';
import { ownerLimits } from './owner-limits.ts';

/** A listed key's principal. Its upstream key is there to be read, and never printed. */
class ListedPrincipal implements Principal {
  readonly keyId: string;
  readonly limits: OwnerLimits;
  readonly team?: Team;
  readonly tier?: string;
  readonly modelRules: readonly ModelRule[];
  readonly #upstreamKey: string | undefined;

  constructor({ id, limits, team, tier, modelRules, upstreamKey }: KeyEntry) {
    this.keyId = id;
    this.limits = limits;
    if (team !== undefined) this.team = team;
    if (tier !== undefined) this.tier = tier;
    this.modelRules = modelRules;
    this.#upstreamKey = upstreamKey;
    Object.freeze(this);
  }

  get upstreamKey(): string | undefined {
    return this.#upstreamKey;
  }
}

/** Hashing costs more than anything else on the way to a principal: that many are found without. */
const REMEMBERED = 1_024;

const NO_RULES = Object.freeze([]);

interface Known {
  readonly principal: Principal;
  readonly expiresMs: number;
}

interface PrincipalsOptions {
  readonly nowMs?: () => number;
  /** Absent: issued keys have no limits, and there are no teams and tiers. */
  readonly rules?: IssuedKeyRules;
  readonly issued?: IssuedKeySource;
}

/** What every issued key begins with. None that isn't known is let through as somebody else's, or sent upstream. */
const ISSUED_PREFIX = 'nxs_';

/** Tells by its credential for whom a request acts. */
export class Principals {
  /** By the whole hash: no prefix of a key, and no name that objects inherit, ever finds anything. */
  readonly #known = new Map<string, Known>();
  readonly #config: Config;
  readonly #nowMs: () => number;
  readonly #rules: IssuedKeyRules;
  readonly #issued: IssuedKeySource;
  /** By whole credentials that were found lately. Refused ones take no memory. */
  readonly #recent = new Map<string, Known>();
  /** The version of the issued keys that `#recent` was found with. */
  #recentOf = 0;

  constructor(config: Config, options: PrincipalsOptions = {}) {
    this.#config = config;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#rules = options.rules ?? new IssuedKeyRules(new Map(), new Map(), new Map(), []);
    this.#issued = options.issued ?? NO_ISSUED_KEYS;
    for (const key of config.keys) {
      this.#known.set(key.hash, {
        principal: new ListedPrincipal(key),
        expiresMs: key.expiresMs ?? Number.POSITIVE_INFINITY,
      });
    }
  }

  /** The same, which also knows the keys that Nexus issued. */
  with(issued: IssuedKeySource): Principals {
    return new Principals(this.#config, { nowMs: this.#nowMs, rules: this.#rules, issued });
  }

  /**
   * The principal of a credential (the key alone, without `Bearer`), or undefined: refuse it. Listed keys come first, then issued ones.
   * One that has expired or was revoked is refused. A key that is neither is refused where known keys are required, and wherever it has
   * the form of an issued one; elsewhere it is a principal by its hash, with the default limits.
   * @throws GatewayError `limiter_unavailable` for what has the form of an issued key while these were never read
   */
  find(credential: string): Principal | undefined {
    const { version } = this.#issued;
    if (version !== this.#recentOf) {
      this.#recent.clear();
      this.#recentOf = version;
    }
    const found = this.#recent.get(credential) ?? this.#look(credential);
    return found !== undefined && this.#nowMs() < found.expiresMs ? found.principal : undefined;
  }

  #look(credential: string): Known | undefined {
    if (credential === '') return undefined;
    const hash = credentialHash(credential);
    const known = this.#known.get(hash) ?? this.#lookIssued(hash);
    if (known === undefined && credential.startsWith(ISSUED_PREFIX)) {
      if (this.#issued.isKnown) return undefined;
      throw new GatewayError('limiter_unavailable', { message: 'The keys cannot be checked right now.' });
    }
    if (known === undefined && this.#config.requireKnownKeys) return undefined;
    const found = known ?? { principal: this.#unlisted(hash), expiresMs: Number.POSITIVE_INFINITY };
    if (this.#recent.size >= REMEMBERED) this.#recent.clear();
    this.#recent.set(credential, found);
    return found;
  }

  #lookIssued(hash: string): Known | undefined {
    const found = this.#issued.find(hash);
    const principal = found && this.#rules.principalOf(found.record);
    return principal && { principal, expiresMs: found.endsMs };
  }

  #unlisted(hash: string): Principal {
    const keyId = hashId(hash);
    return Object.freeze({
      keyId,
      limits: ownerLimits(`key:${keyId}`, this.#config.keyLimits),
      modelRules: NO_RULES,
    });
  }

  /** The principal that logs show under an id, for looking back; undefined where no key with it could come in. */
  byId(id: string): Principal | undefined {
    const listed = this.#config.keys.find((key) => key.id === id);
    if (listed) return this.#known.get(listed.hash)?.principal;
    const issued = this.#issued.byId(id);
    if (issued) return this.#rules.principalOf(issued);
    if (this.#config.requireKnownKeys || !isHashId(id)) return undefined;
    return Object.freeze({
      keyId: id,
      limits: ownerLimits(`key:${id}`, this.#config.keyLimits),
      modelRules: NO_RULES,
    });
  }

  /** The ids of all listed keys, expired ones too, in the order of the file. */
  list(): readonly string[] {
    return this.#config.keys.map(({ id }) => id);
  }
}
