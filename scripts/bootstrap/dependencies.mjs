import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { remedyFor, SetupError, step } from './progress.mjs';
import { plainEnvironment, runCaptured } from './run-captured.mjs';

/** Inside node_modules, so that whoever removes the modules removes the proof that they are there. */
const STAMP = path.join('node_modules', '.nexus-installed');

/**
 * @param {string} root the checkout
 * @returns {boolean} whether the installed modules are those of the lockfile and the package.json files as they stand
 */
export function dependenciesAreCurrent(root) {
  return readText(path.join(root, STAMP)) === fingerprint(root);
}

/**
 * @param {string} root
 * @param {readonly string[]} pnpm how pnpm is called
 */
export async function installDependencies(root, pnpm) {
  await step('Installing dependencies', async () => {
    const wanted = fingerprint(root);
    await rm(path.join(root, STAMP), { force: true });
    const { code, output } = await runCaptured(
      [...pnpm, 'install', '--frozen-lockfile', '--reporter=append-only'],
      // CI: never asks whether it may replace modules that another version or system left here.
      { cwd: root, env: { ...plainEnvironment(), CI: 'true' } },
    );
    if (code !== 0)
      throw new SetupError(`pnpm could not install the dependencies. ${remedyFor(output)}`, { output });
    await writeFile(path.join(root, STAMP), wanted);
  });
}

/**
 * @param {string} root
 * @returns {string} a hash of everything that decides what is installed
 */
function fingerprint(root) {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}\n`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json']) {
    hash.update(`${file}\n${readText(path.join(root, file)) ?? ''}\n`);
  }
  for (const folder of ['packages', 'services']) {
    for (const name of readdirSync(path.join(root, folder)).sort()) {
      const manifest = readText(path.join(root, folder, name, 'package.json'));
      if (manifest !== undefined) hash.update(`${folder}/${name}\n${manifest}\n`);
    }
  }
  return hash.digest('hex');
}

/**
 * @param {string} file
 * @returns {string | undefined}
 */
function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
