/**
 * Makes a fresh machine able to run Nexus, then runs it. Needs Node ≥ 18 and npm and imports nothing but `node:`.
 *
 *     node scripts/bootstrap.mjs start [args]    the gateway
 *     node scripts/bootstrap.mjs nexus [args]    the same, with nothing said about the set-up
 *     node scripts/bootstrap.mjs test  [args]    static checks and tests; a path runs the tests below it
 *     node scripts/bootstrap.mjs bench [args]    measurements
 *     node scripts/bootstrap.mjs pnpm  [args]    the package manager of this checkout
 *     node scripts/bootstrap.mjs node            prints the path of the Node that runs all of these, for `./nexus`
 *
 * Node 24 and pnpm are fetched into `.tools/` where the machine has none, dependencies are installed when the lockfile
 * or a package.json changed, and where everything is in place neither the network is used nor a file written.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { dependenciesAreCurrent, installDependencies } from './bootstrap/dependencies.mjs';
import { environmentWith, handOver } from './bootstrap/hand-over.mjs';
import { withLock } from './bootstrap/lock.mjs';
import { remedyFor, SetupError, silenceProgress } from './bootstrap/progress.mjs';
import { clearLeftovers, ensureNode, ensurePnpm, findNode } from './bootstrap/tools.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const tools = path.join(root, '.tools');

/** @type {Readonly<Record<string, string>>} */
const PROGRAMS = {
  start: 'services/gateway/src/main.ts',
  nexus: 'services/gateway/src/main.ts',
  test: 'scripts/test.ts',
  bench: 'packages/bench/src/main.ts',
};

/** @returns {Promise<string>} the executable of Node, with everything installed that it needs */
async function setUp() {
  const found = findNode(tools);
  if (found !== undefined && dependenciesAreCurrent(root)) return found;
  return withLock(tools, async () => {
    await clearLeftovers(tools);
    const modules = async () => {
      if (!dependenciesAreCurrent(root)) await installDependencies(root, await ensurePnpm(tools));
    };
    const [node, installed] = await Promise.allSettled([ensureNode(tools), modules()]);
    if (node.status === 'rejected') throw node.reason;
    if (installed.status === 'rejected') throw installed.reason;
    return node.value;
  });
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<number>} the exit code
 */
async function main(command, args) {
  if (command === 'nexus' || command === 'node') silenceProgress();
  if (command === 'node') {
    process.stdout.write(`${await setUp()}\n`);
    return 0;
  }
  if (command === 'pnpm') {
    const pnpm = await withLock(tools, () => ensurePnpm(tools));
    const node = findNode(tools) ?? process.execPath;
    return handOver([...pnpm, ...args], environmentWith(node));
  }
  // npm keeps flags before `--` to itself: without a word the gateway would face the real API.
  if (process.env.npm_config_simulate === 'true' && !args.includes('--simulate')) {
    throw new SetupError('npm took --simulate for itself. Write: npm start -- --simulate');
  }
  const program = Object.hasOwn(PROGRAMS, command) ? PROGRAMS[command] : undefined;
  if (program === undefined) {
    throw new SetupError(
      `Unknown command "${command}": it is one of ${Object.keys(PROGRAMS).join(', ')}, pnpm, node.`,
    );
  }
  const file = path.join(root, program);
  if (!existsSync(file)) {
    throw new SetupError(
      `${program} is missing: this checkout is not complete. "git status" shows what is gone.`,
    );
  }
  const node = await setUp();
  return handOver([node, file, ...args], environmentWith(node));
}

try {
  const [command = '', ...args] = process.argv.slice(2);
  process.exitCode = await main(command, args);
} catch (error) {
  const output = error instanceof SetupError ? error.output.trim() : '';
  const message = error instanceof Error ? error.message : String(error);
  const remedy = error instanceof SetupError ? '' : remedyFor(message);
  process.stderr.write(
    `${output === '' ? '' : `${output}\n\n`}Nexus can't start: ${message.trim()}${remedy === '' ? '' : `. ${remedy}`}`.trimEnd(),
  );
  process.stderr.write('\n');
  process.exitCode = 1;
}
