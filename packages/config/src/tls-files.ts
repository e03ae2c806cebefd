import { createPrivateKey, X509Certificate } from 'node:crypto';
import { TlsFiles } from './config.ts';
import { readBounded, readFailure } from './config-file.ts';
import type { Place, ProblemList } from './problems.ts';

/** A chain of a dozen certificates has 30 KB. */
const LARGEST_PEM_BYTES = 1_048_576;

interface NamedFile {
  readonly path: string;
  readonly place: Place;
}

/** Reads the certificate and its key, and checks that they belong together. Undefined: none, or a problem, which is said. */
export function readTlsFiles(
  cert: NamedFile | undefined,
  key: NamedFile | undefined,
  problems: ProblemList,
): TlsFiles | undefined {
  if (cert === undefined || key === undefined) {
    const given = cert ?? key;
    if (given !== undefined) {
      const [has, lacks] = cert === undefined ? ['key_file', 'cert_file'] : ['cert_file', 'key_file'];
      problems.add(given.place, `tls.${has}`, {
        wrong: `\`tls.${has}\` stands without \`tls.${lacks}\``,
        remedy: `name both, or neither for plain HTTP`,
      });
    }
    return undefined;
  }
  const certPem = readPem(cert, 'tls.cert_file', problems);
  const keyPem = readPem(key, 'tls.key_file', problems);
  if (certPem === undefined || keyPem === undefined) return undefined;
  const certificate = attempt(() => new X509Certificate(certPem));
  const privateKey = attempt(() => createPrivateKey(keyPem));
  if (certificate === undefined) {
    problems.add(cert.place, 'tls.cert_file', {
      wrong: 'the file that `tls.cert_file` names holds no certificate',
      remedy: 'name a PEM file that begins with -----BEGIN CERTIFICATE-----',
    });
  }
  if (privateKey === undefined) {
    problems.add(key.place, 'tls.key_file', {
      wrong: 'the file that `tls.key_file` names holds no private key without a passphrase',
      remedy: 'name an unencrypted PEM file, such as one that begins with -----BEGIN PRIVATE KEY-----',
    });
  }
  if (certificate === undefined || privateKey === undefined) return undefined;
  if (!certificate.checkPrivateKey(privateKey)) {
    problems.add(key.place, 'tls.key_file', {
      wrong: '`tls.key_file` is not the key of the first certificate in `tls.cert_file`',
      remedy: 'name the key that belongs to it; the own certificate comes first in a chain',
    });
    return undefined;
  }
  return new TlsFiles(certPem, keyPem);
}

function readPem({ path, place }: NamedFile, setting: string, problems: ProblemList): string | undefined {
  const add = (wrong: string): undefined => {
    problems.add(place, setting, {
      wrong: `the file that \`${setting}\` names ${wrong}`,
      remedy: 'name a readable PEM file',
    });
  };
  try {
    const bytes = readBounded(path, LARGEST_PEM_BYTES);
    return bytes.length > LARGEST_PEM_BYTES ? add('is larger than 1 MB') : bytes.toString('utf8');
  } catch (error) {
    return add(readFailure(error));
  }
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
