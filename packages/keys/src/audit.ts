import { isWhole, parsed } from './key-record.ts';

/** What an administrative change was. */
export const AUDIT_ACTIONS = [
  'key created',
  'key rotated',
  'key revoked',
  'budget changed',
  'budget restored',
  'configuration changed',
  'configuration refused',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** What stands in an audit record of the thing that was changed: names and times, never a secret or its hash. */
export type AuditView = Readonly<Record<string, string | number | readonly string[] | null>>;

/** One administrative change: who did what to what, and when. */
export interface AuditRecord {
  /** Milliseconds since 1970, by the clock of the machine on which it was made. */
  readonly atMs: number;
  /** `api:ops` for a token of the admin API, `cli:alice@host` for a user of the operating system, `file:host` for who writes a configuration. */
  readonly by: string;
  readonly action: AuditAction;
  /** Public name of what was changed: `key:search-2`, `team:search/usd_per_day`, `configuration`. */
  readonly subject: string;
  /** Null: there was nothing before. */
  readonly before: AuditView | null;
  readonly after: AuditView | null;
}

/** How much of the past is kept: the younger of both bounds holds. */
export const AUDIT_KEPT = { records: 10_000, forMs: 400 * 86_400_000 } as const;

export function auditText(record: AuditRecord): string {
  return JSON.stringify(record);
}

/** Reads what `auditText` wrote; undefined if it is anything else. */
export function readAudit(text: string): AuditRecord | undefined {
  const given = parsed(text);
  if (given === undefined) return undefined;
  const { atMs, by, subject, before, after } = given;
  const action = AUDIT_ACTIONS.find((known) => known === given.action);
  if (!isWhole(atMs) || typeof by !== 'string' || typeof subject !== 'string' || action === undefined)
    return undefined;
  if (!isView(before) || !isView(after)) return undefined;
  return { atMs, by, action, subject, before, after };
}

function isView(value: unknown): value is AuditView | null {
  if (value === null) return true;
  return (
    typeof value === 'object' &&
    Object.values(value).every(
      (each) =>
        each === null ||
        typeof each === 'string' ||
        typeof each === 'number' ||
        (Array.isArray(each) && each.every((item) => typeof item === 'string')),
    )
  );
}
