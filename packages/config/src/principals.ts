import type { OwnerLimits, Principal } from '@nexus/domain';
import type { Config, KeyEntry } from './config.ts';
import { credentialHash, hashId } from './credential.ts';
import { ownerLimits } from './owner-limits.ts';

/** A principal whose upstream key is there to be read, and never printed. */
class MappedPrincipal implements Principal {
  readonly keyId: string;
  readonly limits: OwnerLimits;
  readonly #upstreamKey: string;

  constructor(keyId: string, limits: OwnerLimits, upstreamKey: string) {
    this.keyId = keyId;
    this.limits = limits;
    this.#upstreamKey = upstreamKey;
    Object.freeze(this);
  }

  get upstreamKey(): string {
    return this.#upstreamKey;
  }
}

interface Known {
  readonly principal: Principal;
  readonly expiresMs: number;
}

/** Tells by its credential for whom a request acts. */
export class Principals {
  /** By the whole hash: no prefix of a key, and no name that objects inherit, ever finds anything. */
  readonly #known = new Map<string, Known>();
  readonly #config: Config;
  readonly #nowMs: () => number;

  constructor(config: Config, options: { nowMs?: () => number } = {}) {
    this.#config = config;
    this.#nowMs = options.nowMs ?? Date.now;
    for (const key of config.keys) {
      this.#known.set(key.hash, {
        principal: principalOf(key),
        expiresMs: key.expiresMs ?? Number.POSITIVE_INFINITY,
      });
    }
  }

  /**
   * The principal of a credential (the key alone, without `Bearer`), or undefined: refuse it. A listed key that has
   * expired is refused. A key that isn't listed is refused where known keys are required; elsewhere it is a principal
   * by its hash, with the default limits, and nothing about it is kept.
   */
  find(credential: string): Principal | undefined {
    if (credential === '') return undefined;
    const hash = credentialHash(credential);
    const known = this.#known.get(hash);
    if (known !== undefined) return this.#nowMs() < known.expiresMs ? known.principal : undefined;
    if (this.#config.requireKnownKeys) return undefined;
    const keyId = hashId(hash);
    return { keyId, limits: ownerLimits(`key:${keyId}`, this.#config.keyLimits) };
  }

  /** The ids of all listed keys, expired ones too, in the order of the file. */
  list(): readonly string[] {
    return this.#config.keys.map(({ id }) => id);
  }
}

function principalOf({ id, limits, upstreamKey }: KeyEntry): Principal {
  if (upstreamKey !== undefined) return new MappedPrincipal(id, limits, upstreamKey);
  return Object.freeze({ keyId: id, limits });
}
