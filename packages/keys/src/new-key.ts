import { randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** What every key that Nexus issues begins with: scanners for leaked secrets and people know it by that. */
export const KEY_PREFIX = 'nxs_';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 43 digits of 62 hold 256 bits: 62^43 > 2^256. */
const SECRET_DIGITS = 43;
/** 62^6 > 2^32. */
const CHECK_DIGITS = 6;

/** A new key: `nxs_`, 43 random base62 digits, and 6 that check them. Whoever makes it shows it once and keeps its hash. */
export function newKey(): string {
  const secret = Array.from({ length: SECRET_DIGITS }, () => DIGITS.charAt(randomInt(DIGITS.length))).join(
    '',
  );
  return `${KEY_PREFIX}${secret}${checkDigits(secret)}`;
}

/** Whether a text that begins as an issued key is a whole one: a slip of the pen or of the clipboard is told from a wrong key. */
export function isWholeKey(text: string): boolean {
  const [, secret, check] = /^nxs_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/.exec(text) ?? [];
  return secret !== undefined && checkDigits(secret) === check;
}

/** CRC-32 in base62, as the tokens of GitHub and npm are checked. */
function checkDigits(secret: string): string {
  let rest = crc32(secret);
  let digits = '';
  for (let count = 0; count < CHECK_DIGITS; count += 1) {
    digits = DIGITS.charAt(rest % DIGITS.length) + digits;
    rest = Math.floor(rest / DIGITS.length);
  }
  return digits;
}
