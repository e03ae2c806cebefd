import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fetchPackage } from './fetch-package.mjs';
import { SetupError, step } from './progress.mjs';
import { runCaptured } from './run-captured.mjs';
import { NODE_MAJOR, NODE_PACKAGES, NODE_VERSION, PNPM, PNPM_EXECUTABLE_INTEGRITY } from './versions.mjs';

/**
 * The Node that runs Nexus, without looking further than the file system: this process's own where it is new enough,
 * else the one that was fetched before.
 *
 * @param {string} tools the checkout's `.tools`
 * @returns {string | undefined} the executable, or undefined where it must be fetched first
 */
export function findNode(tools) {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath;
  const wanted = NODE_PACKAGES[`${process.platform}-${process.arch}`];
  const executable = wanted && nodeExecutable(tools, wanted);
  return executable && existsSync(executable) ? executable : undefined;
}

/**
 * @param {string} tools
 * @param {{ name: string, version: string, executable: string }} wanted
 */
function nodeExecutable(tools, { name, version, executable }) {
  return path.join(tools, `node-${version}`, 'node_modules', name, executable);
}

/**
 * @param {string} tools
 * @returns {Promise<string>} the executable of Node
 */
export async function ensureNode(tools) {
  const found = findNode(tools);
  if (found !== undefined) return found;
  const platform = `${process.platform}-${process.arch}`;
  const wanted = NODE_PACKAGES[platform];
  const install =
    `Install Node ${NODE_VERSION} or newer yourself (https://nodejs.org/en/download` +
    `${process.platform === 'darwin' ? ', or: brew install node@24' : ''}) and run the same command with it.`;
  if (wanted === undefined) {
    throw new SetupError(
      `Nexus needs Node ${NODE_MAJOR} or newer, this is ${process.version}, and there is none to fetch for ${platform}. ${install}`,
    );
  }
  const executable = nodeExecutable(tools, wanted);
  await step(`Fetching Node ${wanted.version} into .tools (once)`, () =>
    fetchPackage(path.join(tools, `node-${wanted.version}`), wanted),
  );
  const { code, output } = await runCaptured([executable, '--version'], { cwd: tools, timeoutMs: 20_000 });
  if (code !== 0 || output.trim() !== `v${wanted.version}`) {
    await rm(path.join(tools, `node-${wanted.version}`), { recursive: true, force: true });
    throw new SetupError(`The Node that was fetched does not run on this system. ${install}`, { output });
  }
  return executable;
}

/**
 * @param {string} tools
 * @returns {Promise<string[]>} how pnpm is called: the one on PATH where it has the right major version and works,
 *   else the fetched one. Called by its JavaScript entry, which needs no install script to have run.
 */
export async function ensurePnpm(tools) {
  const entry = path.join(tools, `pnpm-${PNPM.version}`, 'node_modules', 'pnpm', 'bin', 'pnpm.mjs');
  const command = [process.execPath, entry];
  if (existsSync(entry)) return command;
  const own = await workingPnpmOnPath(tools);
  if (own !== undefined) return [own];
  const folder = path.join(tools, `pnpm-${PNPM.version}`);
  await step(`Fetching pnpm ${PNPM.version} into .tools (once)`, () =>
    fetchPackage(folder, PNPM, PNPM_EXECUTABLE_INTEGRITY),
  );
  const { code, output } = await runCaptured([...command, '--version'], { cwd: tools, timeoutMs: 60_000 });
  if (code !== 0 || output.trim() !== PNPM.version) {
    await rm(folder, { recursive: true, force: true });
    throw new SetupError(
      `The pnpm that was fetched does not run on this system. Install pnpm ${PNPM.version} yourself (https://pnpm.io/installation) and try again.`,
      { output },
    );
  }
  return command;
}

/**
 * @param {string} tools asked in here, outside the workspace's own settings
 * @returns {Promise<string | undefined>} the executable's path
 */
async function workingPnpmOnPath(tools) {
  const found = (process.env.PATH ?? '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, 'pnpm'))
    .find((file) => path.isAbsolute(file) && existsSync(file));
  if (found === undefined) return undefined;
  const { code, output } = await runCaptured([found, '--version'], { cwd: tools, timeoutMs: 10_000 });
  return code === 0 && output.trim().split('.')[0] === PNPM.version.split('.')[0] ? found : undefined;
}

/**
 * Removes what killed set-ups left behind. Only for the holder of the lock.
 *
 * @param {string} tools
 */
export async function clearLeftovers(tools) {
  for (const name of await readdir(tools)) {
    if (/\.part-\d+$|^lock-dead-/.test(name))
      await rm(path.join(tools, name), { recursive: true, force: true });
  }
}
