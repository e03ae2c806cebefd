import type { AnswerFields } from '@nexus/http-client';

/** A key that was limited rests for so long where the upstream doesn't say. */
const UNSAID_MS = 5_000;
/** And never longer than this, whatever it says: a limit of one model isn't one of the key. */
const LONGEST_MS = 60_000;

/** How long a key rests after a 429, from `retry-after-ms` or `retry-after` (RFC 9110 §10.2.3). */
export function restMs(fields: AnswerFields, nowMs: number): number {
  const said = saidMs(fields, nowMs);
  return said === undefined ? UNSAID_MS : Math.min(Math.max(said, 0), LONGEST_MS);
}

function saidMs(fields: AnswerFields, nowMs: number): number | undefined {
  const ms = fields.get('retry-after-ms');
  if (ms !== undefined && /^\d+(\.\d+)?$/.test(ms)) return Number(ms);
  const after = fields.get('retry-after');
  if (after === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(after)) return Number(after) * 1_000;
  // Date.parse takes `-1` for a date.
  const atMs = /^[A-Z][a-z]{2}/.test(after) ? Date.parse(after) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : atMs - nowMs;
}
