const DAY_MS = 86_400_000n;
/** The zones that the model knows: those that never change their clocks. */
const OFFSETS_MS = new Map([
  ['UTC', 0n],
  ['Asia/Kolkata', 19_800_000n],
]);

/** The number of the window that a time is in. */
export function windowOf(timeZone: string, period: 'day' | 'month', atMs: bigint): bigint {
  const wallMs = atMs + (OFFSETS_MS.get(timeZone) ?? 0n);
  if (period === 'day') return wallMs / DAY_MS;
  const wall = new Date(Number(wallMs));
  return BigInt(wall.getUTCFullYear() * 12 + wall.getUTCMonth());
}

/** When the next window begins. */
export function nextWindow(timeZone: string, period: 'day' | 'month', now: bigint): bigint {
  const offset = OFFSETS_MS.get(timeZone) ?? 0n;
  const window = windowOf(timeZone, period, now);
  if (period === 'day') return (window + 1n) * DAY_MS - offset;
  return BigInt(Date.UTC(Number(window / 12n), Number(window % 12n) + 1)) - offset;
}
