import type { AuditAction, AuditView } from './audit.ts';
import { type Doer, makeChange } from './changing.ts';
import type { KeyKeeper } from './key-keeper.ts';
import { type KeyRecord, keyStatus } from './key-record.ts';

/** Why a change was not made. */
export type IssuingRefusal =
  | 'taken'
  | 'unknown'
  | 'revoked'
  | 'expired'
  | 'too many secrets'
  | 'full'
  | 'unchanged';

/** A change that can't be made as things are. Its message says why, and holds no secret. */
export class IssuingError extends Error {
  readonly refusal: IssuingRefusal;

  constructor(refusal: IssuingRefusal, id: string) {
    super(SENTENCES[refusal](id));
    this.name = 'IssuingError';
    this.refusal = refusal;
  }
}

/** Secrets of one key that may be good at once, the newest included. */
const MOST_SECRETS = 5;

const SENTENCES: Readonly<Record<IssuingRefusal, (id: string) => string>> = {
  taken: (id) =>
    `There is a key ${id} already. Ids are never used twice, since limits and reports go by them; choose another.`,
  unknown: (id) => `No key ${id} was ever created.`,
  revoked: (id) => `The key ${id} is revoked, for good. Create another.`,
  expired: (id) => `The key ${id} has expired. Create another.`,
  'too many secrets': (id) =>
    `${MOST_SECRETS} secrets of ${id} are still good. Rotate with a shorter overlap to end earlier ones: --overlap 0s ends all.`,
  full: () => 'The store holds as many keys and changed budgets as it may.',
  unchanged: (id) => `The budget ${id} is not changed: it is the configuration's.`,
};

/** What a new key is to be. */
export interface NewKey {
  readonly id: string;
  /** Hex of the key's HMAC-SHA-256. */
  readonly hash: string;
  readonly team?: string;
  readonly tier?: string;
  readonly models?: readonly string[];
  readonly expiresMs?: number;
}

/** @throws IssuingError `taken` or `full`; whatever the keeper rejects with */
export function createKey(keeper: KeyKeeper, wanted: NewKey, doer: Doer): Promise<KeyRecord> {
  return change(keeper, wanted.id, doer, 'key created', (kept) => {
    if (kept) throw new IssuingError('taken', wanted.id);
    return { ...wanted, revision: 1, createdMs: doer.nowMs, createdBy: doer.by };
  });
}

/**
 * Gives a key a new secret, under the same id and with the same limits, half used as they are. The secret before it stays good for
 * `overlapMs`; secrets from before that, as long as they were to, but no longer than it.
 * @throws IssuingError `unknown`, `revoked`, `expired` or `too many secrets`; whatever the keeper rejects with
 */
export function rotateKey(
  keeper: KeyKeeper,
  { id, hash, overlapMs }: { readonly id: string; readonly hash: string; readonly overlapMs: number },
  doer: Doer,
): Promise<KeyRecord> {
  return change(keeper, id, doer, 'key rotated', (kept) => {
    if (kept === undefined) throw new IssuingError('unknown', id);
    const status = keyStatus(kept, doer.nowMs);
    if (status !== 'active') throw new IssuingError(status, id);
    const untilMs = doer.nowMs + overlapMs;
    const earlier = [{ hash: kept.hash, untilMs }, ...(kept.replaces ?? [])]
      .map((secret) => ({ hash: secret.hash, untilMs: Math.min(secret.untilMs, untilMs) }))
      .filter((secret) => secret.untilMs > doer.nowMs);
    if (earlier.length >= MOST_SECRETS) throw new IssuingError('too many secrets', id);
    const { replaces: _, ...rest } = kept;
    return {
      ...rest,
      revision: kept.revision + 1,
      hash,
      ...(earlier.length === 0 ? {} : { replaces: earlier }),
    };
  });
}

/**
 * Ends a key and all its secrets for good.
 * @throws IssuingError `unknown` or `revoked`; whatever the keeper rejects with
 */
export function revokeKey(keeper: KeyKeeper, id: string, doer: Doer): Promise<KeyRecord> {
  return change(keeper, id, doer, 'key revoked', (kept) => {
    if (kept === undefined) throw new IssuingError('unknown', id);
    if (kept.revokedMs !== undefined) throw new IssuingError('revoked', id);
    return { ...kept, revision: kept.revision + 1, revokedMs: doer.nowMs };
  });
}

async function change(
  keeper: KeyKeeper,
  id: string,
  doer: Doer,
  action: AuditAction,
  next: (kept: KeyRecord | undefined) => KeyRecord,
): Promise<KeyRecord> {
  const find = () => keeper.find(id);
  const shown = (record: KeyRecord | undefined) => (record ? shownKey(record) : null);
  const record = await makeChange(keeper, { action, subject: `key:${id}`, find, next, shown }, doer);
  if (record === 'full') throw new IssuingError('full', id);
  return record;
}

/** A key as lists and audit records show it: without its hashes. Times are ISO 8601. */
export function shownKey(record: KeyRecord): AuditView {
  const { id, team, tier, models, createdMs, createdBy, expiresMs, revokedMs, replaces = [] } = record;
  return {
    id,
    team: team ?? null,
    tier: tier ?? null,
    models: models ?? null,
    created: isoTime(createdMs),
    created_by: createdBy,
    expires: isoTime(expiresMs),
    revoked: isoTime(revokedMs),
    earlier_secrets_until: replaces.map(({ untilMs }) => new Date(untilMs).toISOString()),
  };
}

function isoTime(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
