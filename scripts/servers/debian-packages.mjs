import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import { withLock } from '../bootstrap/lock.mjs';
import { plainEnvironment, runCaptured } from '../bootstrap/run-captured.mjs';
import { onPath, versionOf } from './on-path.mjs';

/** How long one call of apt-get may take. */
const APT_LIMIT_MS = 60_000;

/** A failed try isn't repeated so soon: every test file asks, and a network that is away takes long to say so. */
const RETRY_AFTER_MS = 10 * 60_000;

/**
 * Unpacks a server's package, and those it needs that this system lacks, below `folder`.
 *
 * @param {string} folder for all servers; made if it is missing
 * @param {string} name of the command
 * @param {{ package: string, executable: string, needsNothing?: boolean, versionArgs: string[], version: RegExp }} server
 * @returns {Promise<{ path: string, version: string }>}
 * @throws Error that says what to do instead
 */
export async function unpackFromDebian(folder, name, server) {
  const home = path.join(folder, server.package);
  const executable = path.join(home, launcherName(name, server));
  if (existsSync(executable)) return { path: executable, version: await runningVersion(executable, server) };
  const install =
    process.platform === 'darwin'
      ? `brew install ${server.package.replace('-server', '')}`
      : `install ${server.package}`;
  for (const command of ['apt-get', 'dpkg']) {
    if (onPath(command).length === 0) throw new Error(`this system has no ${command}. Remedy: ${install}`);
  }
  return withLock(folder, async () => {
    if (existsSync(executable))
      return { path: executable, version: await runningVersion(executable, server) };
    // Another program of the same package was asked for before.
    if (existsSync(path.join(home, 'files'))) {
      await writeLauncher(home, name, server);
      return { path: executable, version: await runningVersion(executable, server) };
    }
    const reasonFile = path.join(folder, `${server.package}.unavailable.txt`);
    const reason = await recentReason(reasonFile);
    if (reason !== undefined) throw new Error(reason);
    const unfinished = `${home}.part-${process.pid}`;
    try {
      await rm(unfinished, { recursive: true, force: true });
      await unpack(folder, unfinished, server);
      const run = await writeLauncher(unfinished, name, server);
      const version = await runningVersion(run, server);
      await rename(unfinished, home);
      await rm(reasonFile, { force: true });
      return { path: executable, version };
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      const why = `${error instanceof Error ? error.message : error}. Remedy: ${install}`;
      await writeFile(reasonFile, why);
      throw new Error(why);
    }
  });
}

/**
 * @param {string} name of the command
 * @param {{ package: string }} server
 * @returns {string} the file below the package's folder that starts it
 */
function launcherName(name, server) {
  return name === server.package ? 'run' : `run-${name}`;
}

/**
 * @param {string} home the package's folder
 * @param {string} name of the command
 * @param {{ package: string, executable: string }} server
 * @returns {Promise<string>} the launcher, whole from the moment that it is there
 */
async function writeLauncher(home, name, server) {
  const file = path.join(home, launcherName(name, server));
  await writeFile(`${file}.part`, launcher(server.executable));
  await chmod(`${file}.part`, 0o755);
  await rename(`${file}.part`, file);
  return file;
}

/**
 * @param {string} file
 * @param {{ versionArgs: string[], version: RegExp }} server
 */
async function runningVersion(file, server) {
  const version = await versionOf(file, server);
  if (version === undefined) throw new Error(`what was unpacked to ${file} does not run`);
  return version;
}

/**
 * @param {string} file
 * @returns {Promise<string | undefined>} why the last try failed, if that was a moment ago
 */
async function recentReason(file) {
  const found = await stat(file).catch(() => undefined);
  const ageMs = Date.now() - (found?.mtimeMs ?? Number.NEGATIVE_INFINITY);
  return ageMs >= 0 && ageMs < RETRY_AFTER_MS ? readFile(file, 'utf8') : undefined;
}

/**
 * @param {string} folder for apt's own lists, where the system has none
 * @param {string} to
 * @param {{ package: string, needsNothing?: boolean }} server
 */
async function unpack(folder, to, { package: name, needsNothing = false }) {
  const archives = path.join(to, 'archives');
  const files = path.join(to, 'files');
  await mkdir(archives, { recursive: true });
  await mkdir(files);
  let apt = ['apt-get', '-o', 'Debug::NoLocking=1'];
  let packages = await missingPackages(apt, archives, name, needsNothing);
  let fetched = packages.length > 0 && (await run([...apt, 'download', ...packages], archives)).code === 0;
  if (!fetched) {
    // No lists of packages yet, or old ones that name versions which are gone: fetch lists, beside the system's own.
    apt = [...apt, ...(await privateLists(path.join(folder, 'apt')))];
    await must([...apt, 'update'], archives, "Debian's lists of packages could not be fetched");
    packages = await missingPackages(apt, archives, name, needsNothing);
    if (packages.length === 0) throw new Error(`this system's package sources have no ${name}`);
    await must([...apt, 'download', ...packages], archives, `${packages.join(', ')} could not be downloaded`);
    fetched = true;
  }
  for (const archive of await readdir(archives)) {
    await must(['dpkg', '-x', path.join(archives, archive), files], to, `${archive} could not be unpacked`);
  }
  await rm(archives, { recursive: true });
}

/**
 * @param {readonly string[]} apt
 * @param {string} cwd
 * @param {string} name
 * @param {boolean} needsNothing
 * @returns {Promise<string[]>} the package and what it needs, without what this system has
 */
async function missingPackages(apt, cwd, name, needsNothing) {
  const { output } = await run([...apt, '--simulate', '--no-install-recommends', 'install', name], cwd);
  const missing = [...output.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '');
  return needsNothing ? missing.filter((one) => one === name) : missing;
}

/**
 * @param {string} folder
 * @returns {Promise<string[]>} the options with which apt-get keeps its lists and caches in this folder
 */
async function privateLists(folder) {
  await mkdir(path.join(folder, 'lists', 'partial'), { recursive: true });
  await mkdir(path.join(folder, 'cache', 'archives', 'partial'), { recursive: true });
  const settings = [
    `Dir::State::lists=${path.join(folder, 'lists')}`,
    `Dir::Cache=${path.join(folder, 'cache')}`,
    `APT::Sandbox::User=${userInfo().username}`,
    'Acquire::Languages=none',
    'Acquire::Retries=1',
    'Acquire::http::Timeout=20',
  ];
  return settings.flatMap((setting) => ['-o', setting]);
}

/**
 * @param {readonly string[]} command
 * @param {string} cwd
 */
function run(command, cwd) {
  const env = { ...plainEnvironment(), LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
  return runCaptured(command, { cwd, env, timeoutMs: APT_LIMIT_MS });
}

/**
 * @param {readonly string[]} command
 * @param {string} cwd
 * @param {string} failure
 */
async function must(command, cwd, failure) {
  const { code, output } = await run(command, cwd);
  if (code === 0) return;
  const said = output.trim().split('\n').at(-1) ?? '';
  throw new Error(`${failure}${code === 124 ? ' in time' : `: ${said}`}`);
}

/**
 * @param {string} executable below the unpacked files
 * @returns {string} a shell script that starts it with the libraries that were unpacked beside it
 */
function launcher(executable) {
  return `#!/bin/sh
files=$(cd "$(dirname "$0")" && pwd)/files
for folder in "$files"/usr/lib/*-linux-gnu* "$files"/lib/*-linux-gnu* "$files"/usr/lib; do
  LD_LIBRARY_PATH="\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder"
done
export LD_LIBRARY_PATH
exec "$files"/${executable} "$@"
`;
}
