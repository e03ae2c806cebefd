const NANO = 1_000_000_000n;

/** Nano-dollars as US dollars, exactly: 123,000 → `0.000123`, 1,500,000,000 → `1.50`. At least two decimals, at most nine. */
export function usdText(nano: bigint): string {
  const size = nano < 0n ? -nano : nano;
  const decimals = String(size % NANO).padStart(9, '0');
  return `${nano < 0n ? '-' : ''}${size / NANO}.${decimals.slice(0, 2)}${decimals.slice(2).replace(/0+$/, '')}`;
}
