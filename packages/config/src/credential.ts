import { createHmac } from 'node:crypto';

/**
 * The label is public and fixed, so that every instance gives a key the same name; it only keeps these hashes apart
 * from other uses of SHA-256.
 */
const LABEL = 'nexus credential v1';

/** The HMAC-SHA-256 of a credential, in hex: what stands for it everywhere inside. */
export function credentialHash(credential: string): string {
  return createHmac('sha256', LABEL).update(credential, 'utf8').digest('hex');
}

/** The public name of a key that has no id of its own: `key-` and the first 12 digits of its hash. */
export function hashId(hash: string): string {
  return `key-${hash.slice(0, 12)}`;
}

/** Whether an id was made by `hashId`. */
export function isHashId(id: string): boolean {
  return /^key-[0-9a-f]{12}$/.test(id);
}
