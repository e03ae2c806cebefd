/**
 * Fails where what is installed would depend on the day or on the machine: a dependency without an exact version, a
 * lockfile that names download addresses (it must work with any registry), or two places that disagree about pnpm.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { PNPM } from './bootstrap/versions.mjs';
import { packageFolders } from './imports/workspace.ts';

const root = process.argv[2] ?? process.cwd();
const problems: string[] = [];

const EXACT = /^(workspace:\*|npm:.+@\d+\.\d+\.\d+[\w.+-]*|\d+\.\d+\.\d+[\w.+-]*)$/;
for (const folder of ['.', ...packageFolders(root).values()]) {
  const manifest: unknown = JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8'));
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    for (const [name, version] of Object.entries(recordIn(manifest, kind))) {
      if (typeof version === 'string' && EXACT.test(version)) continue;
      problems.push(
        `${folder}/package.json: ${kind} ${name} must be an exact version, not ${JSON.stringify(version)}`,
      );
    }
  }
}

const lockfile = readFileSync(path.join(root, 'pnpm-lock.yaml'), 'utf8');
for (const [index, line] of lockfile.split('\n').entries()) {
  // `deprecated:` quotes a package's own words, which may well name an address.
  if (/\btarball:|https?:\/\//.test(line) && !/^\s+deprecated:/.test(line)) {
    problems.push(`pnpm-lock.yaml:${index + 1}: names a download address: ${line.trim()}`);
  }
}
for (const other of ['package-lock.json', 'yarn.lock']) {
  if (existsSync(path.join(root, other)))
    problems.push(`${other}: only pnpm-lock.yaml decides what is installed`);
}

const { packageManager } = recordOf(JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')));
if (packageManager !== `pnpm@${PNPM.version}`) {
  problems.push(
    `package.json: packageManager is ${packageManager}, scripts/bootstrap/versions.mjs has ${PNPM.version}`,
  );
}

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 1;
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function recordIn(value: unknown, key: string): Record<string, unknown> {
  return recordOf(recordOf(value)[key]);
}
