import type { IncomingHttpHeaders } from 'node:http';

/** A key that was limited rests for so long where the upstream doesn't say. */
const UNSAID_MS = 5_000;
/** And never longer than this, whatever it says: a limit of one model isn't one of the key. */
const LONGEST_MS = 60_000;

/** How long a key rests after a 429, from `retry-after-ms` or `retry-after` (RFC 9110 §10.2.3). */
export function restMs(headers: IncomingHttpHeaders, nowMs: number): number {
  const said = saidMs(headers, nowMs);
  return said === undefined ? UNSAID_MS : Math.min(Math.max(said, 0), LONGEST_MS);
}

function saidMs(headers: IncomingHttpHeaders, nowMs: number): number | undefined {
  const ms = headers['retry-after-ms'];
  if (typeof ms === 'string' && /^\d+(\.\d+)?$/.test(ms)) return Number(ms);
  const after = headers['retry-after'];
  if (after === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(after)) return Number(after) * 1_000;
  // Date.parse takes `-1` for a date.
  const atMs = /^[A-Z][a-z]{2}/.test(after) ? Date.parse(after) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : atMs - nowMs;
}
