import { readFileSync } from 'node:fs';

function fixture(name: string): string {
  return readFileSync(new URL(`../fixtures/${name}`, import.meta.url), 'utf8');
}

/**
 * A certificate for localhost, 127.0.0.1 and ::1 that signs itself, with its key, as PEM; valid until 2126. Its key is
 * published with the source: for tests alone. (node:crypto reads certificates but makes none.) `renewed` is another one, with a key of
 * its own.
 */
export function selfSignedCert(which: 'localhost' | 'renewed' = 'localhost'): {
  readonly cert: string;
  readonly key: string;
} {
  return { cert: fixture(`test-only-${which}.cert.pem`), key: fixture(`test-only-${which}.key.pem`) };
}
