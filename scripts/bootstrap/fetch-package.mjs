import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { remedyFor, SetupError } from './progress.mjs';
import { runCaptured } from './run-captured.mjs';

/**
 * Installs one npm package (with its dependencies, without running install scripts) into `folder`, which appears only
 * when everything is in place and has the expected hashes: a set-up that is killed leaves nothing half done.
 *
 * @param {string} folder
 * @param {{ name: string, version: string, integrity: string }} wanted
 * @param {Readonly<Record<string, string>>} [knownIntegrity] of dependencies that may come along
 */
export async function fetchPackage(folder, { name, version, integrity }, knownIntegrity = {}) {
  const unfinished = `${folder}.part-${process.pid}`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  // npm installs where the nearest package.json is: here. (With --prefix it would lose the machine's own npmrc, and with
  // it the registry, the proxy and the certificates of a company.)
  await writeFile(path.join(unfinished, 'package.json'), '{ "private": true }\n');
  const { code, output } = await runCaptured(
    [
      ...npmCommand(),
      ...['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
      ...['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'],
      ...['--save-exact', `${name}@${version}`],
    ],
    { cwd: unfinished },
  );
  if (code === 127) {
    throw new SetupError(
      'npm was not found. Install it (it comes with Node: https://nodejs.org) and try again.',
      {
        output,
      },
    );
  }
  if (code !== 0) {
    await rm(unfinished, { recursive: true, force: true });
    throw new SetupError(`npm could not fetch ${name}@${version}. ${remedyFor(output)}`, { output });
  }
  await checkIntegrity(unfinished, { [name]: integrity, ...knownIntegrity });
  await rm(folder, { recursive: true, force: true });
  await rename(unfinished, folder);
}

/**
 * npm has compared what it downloaded with the hash that the registry named; this compares that hash with ours.
 *
 * @param {string} folder
 * @param {Readonly<Record<string, string>>} expected
 */
async function checkIntegrity(folder, expected) {
  const lock = JSON.parse(await readFile(path.join(folder, 'node_modules', '.package-lock.json'), 'utf8'));
  for (const [location, entry] of Object.entries(lock.packages)) {
    const name = location.replace(/^.*node_modules\//, '');
    const wanted = Object.hasOwn(expected, name) ? expected[name] : undefined;
    if (wanted === undefined || entry.integrity === wanted) continue;
    await rm(folder, { recursive: true, force: true });
    throw new SetupError(
      `The registry delivered another ${name}@${entry.version} than the one this checkout expects (${entry.integrity}, ` +
        `not ${wanted}). Nothing was installed. Check which registry "npm config get registry" names.`,
    );
  }
}

/** @returns {string[]} how npm is called: the one that called us, the one on PATH, the one beside this Node */
function npmCommand() {
  const outer = process.env.npm_execpath;
  if (outer !== undefined && /npm-cli\.c?js$/.test(outer) && existsSync(outer))
    return [process.execPath, outer];
  const onPath = (process.env.PATH ?? '')
    .split(path.delimiter)
    .some((folder) => existsSync(path.join(folder, 'npm')));
  if (onPath && process.platform !== 'win32') return ['npm'];
  const folder = path.dirname(process.execPath);
  const beside = [path.join(folder, '..', 'lib', 'node_modules'), path.join(folder, 'node_modules')]
    .map((modules) => path.join(modules, 'npm', 'bin', 'npm-cli.js'))
    .find((file) => existsSync(file));
  return beside === undefined ? ['npm'] : [process.execPath, beside];
}
