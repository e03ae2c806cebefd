/**
 * The programs of other makers that tests put around Nexus: nginx, redis-server, prometheus and its promtool, postgres
 * and its initdb. Taken
 * from PATH, else unpacked from this system's Debian packages into `.tools/servers/`: nothing is installed, no daemon
 * starts, root isn't needed.
 *
 *     node scripts/servers.mjs [name …]     prints { "nginx": { "path": "…", "version": "1.22.1" }, … } as JSON
 *
 * What can't be had is `{ "missing": "why, and what to install" }`: the reason of a skipped test. The exit code is 0 all
 * the same; 2 is wrong usage. A test reads the JSON; `npm test` runs this once before its tests, so that none of them waits
 * for a download.
 */
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpackFromDebian } from './servers/debian-packages.mjs';
import { onPath, versionOf } from './servers/on-path.mjs';

/**
 * @typedef {{ path: string, version: string }} Found
 * @typedef {{ missing: string }} Missing
 * @typedef {{ package: string, executable: string, needsNothing?: boolean, versionArgs: string[], version: RegExp }} Server
 * `executable`: `*` stands for one folder, that is named after a version.
 * `needsNothing`: what its package depends on is for its web pages, which no test looks at.
 */

/**
 * By the name of the command.
 *
 * @type {ReadonlyMap<string, Server>}
 */
export const SERVERS = new Map([
  [
    'nginx',
    {
      package: 'nginx',
      executable: 'usr/sbin/nginx',
      versionArgs: ['-v'],
      version: /nginx version: nginx\/([\d.]+)/,
    },
  ],
  [
    'redis-server',
    {
      package: 'redis-server',
      executable: 'usr/bin/redis-server',
      versionArgs: ['--version'],
      version: /\bv=([\d.]+)/,
    },
  ],
  [
    'prometheus',
    {
      package: 'prometheus',
      executable: 'usr/bin/prometheus',
      needsNothing: true,
      versionArgs: ['--version'],
      version: /\bversion ([\d.]+)/,
    },
  ],
  [
    'promtool',
    {
      package: 'prometheus',
      executable: 'usr/bin/promtool',
      needsNothing: true,
      versionArgs: ['--version'],
      version: /\bversion ([\d.]+)/,
    },
  ],
  ['postgres', postgres('postgres')],
  ['initdb', postgres('initdb')],
]);

/**
 * @param {string} name of one of PostgreSQL's programs
 * @returns {Server}
 */
function postgres(name) {
  return {
    package: 'postgresql',
    executable: `usr/lib/postgresql/*/bin/${name}`,
    versionArgs: ['--version'],
    version: /\(PostgreSQL\) ([\d.]+)/,
  };
}

/**
 * Finds a server, or makes it available. Never throws.
 *
 * @param {string} root the checkout
 * @param {string} name a key of `SERVERS`
 * @returns {Promise<Found | Missing>} `path` is an executable that can be started as it is
 */
export async function ensureServer(root, name) {
  const server = SERVERS.get(name);
  if (server === undefined) return { missing: `${name} is none of ${[...SERVERS.keys()].join(', ')}` };
  try {
    for (const file of onPath(name)) {
      const version = await versionOf(file, server);
      if (version !== undefined) return { path: file, version };
    }
    return await unpackFromDebian(path.join(root, '.tools', 'servers'), name, server);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { missing: `${name} is not on PATH and could not be unpacked here: ${why}` };
  }
}

/** Whether node was started with this very file, by whatever path. */
function isMain() {
  const started = process.argv[1];
  return started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url);
}

if (isMain()) {
  const names = process.argv.length > 2 ? process.argv.slice(2) : [...SERVERS.keys()];
  const unknown = names.filter((name) => !SERVERS.has(name));
  if (unknown.length > 0) {
    process.stderr.write(`${unknown.join(', ')}: known are ${[...SERVERS.keys()].join(', ')}\n`);
    process.exitCode = 2;
  } else {
    const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
    const found = await Promise.all(names.map(async (name) => [name, await ensureServer(root, name)]));
    process.stdout.write(`${JSON.stringify(Object.fromEntries(found), undefined, 2)}\n`);
  }
}
