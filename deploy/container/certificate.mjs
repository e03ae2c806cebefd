/**
 * Makes a certificate that signs itself, with its key, where there is none yet: for trying nexus on one's own machine.
 *
 *     node certificate.js FOLDER NAME [NAME …]     FOLDER/nexus.crt and FOLDER/nexus.key, for these names and addresses
 */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import { generate } from 'selfsigned';

const DAYS_MS = 24 * 60 * 60 * 1000;
/** Browsers and Apple's systems refuse server certificates of more than 825 days. */
const VALID_MS = 825 * DAYS_MS;

const [folder, ...names] = process.argv.slice(2);
const [first] = names;
if (folder === undefined || first === undefined) {
  process.stderr.write('usage: node certificate.js FOLDER NAME [NAME …]\n');
  process.exit(2);
}
const certificateFile = path.join(folder, 'nexus.crt');
const keyFile = path.join(folder, 'nexus.key');
if (existsSync(certificateFile) && existsSync(keyFile)) {
  process.stdout.write(`${certificateFile} is there already\n`);
} else {
  const pair = await generate([{ name: 'commonName', value: first }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + VALID_MS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: names.map((name) => (isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name })),
      },
    ],
  });
  mkdirSync(folder, { recursive: true });
  // The key first and each whole: a start that is killed here makes both again.
  for (const [file, text, mode] of [
    [keyFile, pair.private, 0o600],
    [certificateFile, pair.cert, 0o644],
  ]) {
    writeFileSync(`${file}.part`, text, { mode });
    renameSync(`${file}.part`, file);
  }
  process.stdout.write(
    `${certificateFile} was made for ${names.join(', ')}: trust it in your client, or replace it\n`,
  );
}
