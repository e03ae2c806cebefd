/**
 * Money is counted in nano-dollars: whole billionths of a US dollar, as plain numbers below 2^53 (nine million
 * dollars). A price is whole nano-dollars per million tokens, so that the cheapest token (a ten-millionth of a dollar
 * for ten) is still a whole number, and nothing is rounded before the end.
 */

export const NANO_PER_USD = 1_000_000_000;

/** The largest amount that is taken for one: what stays a whole number in nano-dollars. */
export const MOST_USD = 9_000_000;

/**
 * US dollars as whole nano-dollars, the nearest to what the number's decimals say: 0.075 → 75,000,000.
 * @throws RangeError if it isn't a finite number from −9,000,000 to 9,000,000
 */
export function nanoUsd(usd: number): number {
  if (!(Math.abs(usd) <= MOST_USD)) throw new RangeError(`${usd} is no amount in US dollars`);
  // toFixed rounds the number's exact value once; a multiplication by 1e9 would round again.
  return Number(usd.toFixed(9).replace('.', '')) + 0; // no -0
}

/**
 * Nano-dollars as US dollars, exactly: 123,000 → `0.000123`, 1,500,000,000 → `1.50`. At least two decimals, at most
 * nine, no separators, no sign but the minus.
 * @param nano a safe integer
 */
export function formatUsd(nano: number): string {
  const size = Math.abs(nano);
  const whole = Math.floor(size / NANO_PER_USD);
  const decimals = String(size % NANO_PER_USD).padStart(9, '0');
  const shown = decimals.slice(0, 2) + decimals.slice(2).replace(/0+$/, '');
  return `${nano < 0 ? '-' : ''}${whole}.${shown}`;
}
