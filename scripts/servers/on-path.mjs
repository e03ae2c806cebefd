import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { runCaptured } from '../bootstrap/run-captured.mjs';

/** Where servers lie that the PATH of an ordinary user may lack. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'];

/**
 * @param {string} name of a command
 * @returns {string[]} the files of that name, in the order in which a shell would find them
 */
export function onPath(name) {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  const files = [...folders, ...SYSTEM_FOLDERS, ...postgresFolders()].map((folder) =>
    path.join(folder, name),
  );
  return [...new Set(files)].filter((file) => existsSync(file));
}

/** Debian has PostgreSQL's programs in a folder for each version, which is on nobody's PATH; the latest first. */
function postgresFolders() {
  const folder = '/usr/lib/postgresql';
  if (!existsSync(folder)) return [];
  const versions = readdirSync(folder).sort((one, other) => Number(other) - Number(one));
  return versions.map((version) => path.join(folder, version, 'bin'));
}

/**
 * @param {string} file an executable
 * @param {{ versionArgs: string[], version: RegExp }} server
 * @returns {Promise<string | undefined>} its version, or undefined where it doesn't run
 */
export async function versionOf(file, { versionArgs, version }) {
  const { code, output } = await runCaptured([file, ...versionArgs], { cwd: '/', timeoutMs: 10_000 });
  return code === 0 ? version.exec(output)?.[1] : undefined;
}
