/**
 * A duration as OpenAI's headers and messages write it, Go's way: `9ms`, `1s`, `8.64s`, `6m0s`, `7m12s`, `1h2m3s`.
 * Source: samples of `x-ratelimit-reset-*` in OpenAI's rate limit guide and its refusal messages.
 */
export function goDuration(milliseconds: number): string {
  const ms = Math.max(0, Math.ceil(milliseconds));
  if (ms < 1000) return ms === 0 ? '0s' : `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = `${(ms % 60_000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
