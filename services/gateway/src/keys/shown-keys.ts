import type { Config, KeyEntry } from '@nexus/config';
import { type AuditRecord, type AuditView, type KeyRecord, keyStatus, shownKey } from '@nexus/keys';
import type { Log } from '@nexus/observe';

/** What is asked of the configuration that holds. */
type Rules = Pick<Config, 'teams' | 'tiers' | 'keys'>;

/** Where a key comes from: `listed` in the configuration, where alone it can be changed, or `issued`. */
export type ShownKey = AuditView & {
  readonly id: string;
  readonly source: 'listed' | 'issued';
  /** `refused`: its team or tier is gone from the configuration, or a listed key has its id. */
  readonly status: 'active' | 'expired' | 'revoked' | 'refused';
};

/** An issued key as people see it. */
export function shownIssued(record: KeyRecord, rules: Rules, nowMs: number): ShownKey {
  const { id } = record;
  const status = keyStatus(record, nowMs);
  return {
    ...shownKey(record),
    id,
    source: 'issued',
    status: status === 'active' && isRefused(record, rules) ? 'refused' : status,
  };
}

/** All keys as people see them, by their ids. */
export function shownKeys(records: Iterable<KeyRecord>, rules: Rules, nowMs: number): ShownKey[] {
  const issued = [...records].map((record) => shownIssued(record, rules, nowMs));
  const listed = rules.keys.map((key) => shownListed(key, nowMs));
  return [...listed, ...issued].sort((one, other) => (one.id < other.id ? -1 : 1));
}

/** An audit record as people see it. */
export function shownAudit({ atMs, by, action, subject, before, after }: AuditRecord): object {
  return { at: new Date(atMs).toISOString(), by, action, subject, before, after };
}

/** The line of the log that an administrative change leaves. */
export function logAudit({ by, action, subject, before, after }: AuditRecord, log: Log): void {
  log.info(action, { by, owner: subject, before, after });
}

function isRefused({ id, team, tier }: KeyRecord, { teams, tiers, keys }: Rules): boolean {
  return (
    (team !== undefined && !teams.has(team)) ||
    (tier !== undefined && !tiers.includes(tier)) ||
    keys.some((listed) => listed.id === id)
  );
}

function shownListed({ id, team, tier, expiresMs }: KeyEntry, nowMs: number): ShownKey {
  return {
    id,
    source: 'listed',
    status: expiresMs !== undefined && nowMs >= expiresMs ? 'expired' : 'active',
    team: team?.name ?? null,
    tier: tier ?? null,
    expires: expiresMs === undefined ? null : new Date(expiresMs).toISOString(),
  };
}
