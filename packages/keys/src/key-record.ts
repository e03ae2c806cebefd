/** A secret of a key from before its last rotation. */
export interface EarlierSecret {
  /** As `KeyRecord.hash`. */
  readonly hash: string;
  /** It is good for requests before this instant (milliseconds since 1970). */
  readonly untilMs: number;
}

/** What is kept of a key that Nexus issued. It never holds the key, only its hash. Times are milliseconds since 1970. */
export interface KeyRecord {
  /** The public name: what logs, reports and its limits' names show. It stays the same over rotations. */
  readonly id: string;
  /** How often the record was written: 1 when the key is created. */
  readonly revision: number;
  /** Hex of the HMAC-SHA-256 of the key. */
  readonly hash: string;
  readonly team?: string;
  readonly tier?: string;
  /** Patterns of the models that it may call, as `models` of a listed key. */
  readonly models?: readonly string[];
  readonly createdMs: number;
  /** Who created it: a token of the admin API or a user of the operating system. */
  readonly createdBy: string;
  /** The key is refused from this instant on. */
  readonly expiresMs?: number;
  /** Since when it is refused for good. */
  readonly revokedMs?: number;
  /** The secrets that `hash` replaced and that may still be good. */
  readonly replaces?: readonly EarlierSecret[];
}

/** What becomes of a key at an instant. */
export type KeyStatus = 'active' | 'expired' | 'revoked';

export function keyStatus({ revokedMs, expiresMs }: KeyRecord, nowMs: number): KeyStatus {
  if (revokedMs !== undefined) return 'revoked';
  return expiresMs !== undefined && nowMs >= expiresMs ? 'expired' : 'active';
}

const HASH = /^[0-9a-f]{64}$/;

/**
 * Reads what a keeper wrote. Undefined if it is anything else: who can write into the store must not make a gateway fail, and a
 * record that is half right would let in more than was meant.
 */
export function readRecord(text: string): KeyRecord | undefined {
  const given = parsed(text);
  if (given === undefined) return undefined;
  const { id, revision, hash, createdMs, createdBy } = given;
  const required = typeof id === 'string' && typeof hash === 'string' && HASH.test(hash);
  if (!required || !isWhole(revision) || !isTime(createdMs) || typeof createdBy !== 'string')
    return undefined;
  const { team, tier, models, expiresMs, revokedMs, replaces } = given;
  if (team !== undefined && typeof team !== 'string') return undefined;
  if (tier !== undefined && typeof tier !== 'string') return undefined;
  if (models !== undefined && !(Array.isArray(models) && models.every(isText))) return undefined;
  if (expiresMs !== undefined && !isTime(expiresMs)) return undefined;
  if (revokedMs !== undefined && !isTime(revokedMs)) return undefined;
  if (replaces !== undefined && !(Array.isArray(replaces) && replaces.every(isEarlier))) return undefined;
  return Object.freeze({
    id,
    revision,
    hash,
    ...(team === undefined ? {} : { team }),
    ...(tier === undefined ? {} : { tier }),
    ...(models === undefined ? {} : { models }),
    createdMs,
    createdBy,
    ...(expiresMs === undefined ? {} : { expiresMs }),
    ...(revokedMs === undefined ? {} : { revokedMs }),
    ...(replaces === undefined ? {} : { replaces }),
  });
}

/** The mapping that a JSON text is; undefined if it is none. */
export function parsed(text: string): Partial<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a value is a whole number ≥ 0. */
export function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** The last instant that a date can be (ECMA-262 §21.4.1.1). */
const LAST_TIME_MS = 8.64e15;

/** Whether a value is an instant, in milliseconds since 1970. */
export function isTime(value: unknown): value is number {
  return isWhole(value) && value <= LAST_TIME_MS;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isEarlier(value: unknown): value is EarlierSecret {
  if (typeof value !== 'object' || value === null || !('hash' in value) || !('untilMs' in value))
    return false;
  return typeof value.hash === 'string' && HASH.test(value.hash) && isTime(value.untilMs);
}
