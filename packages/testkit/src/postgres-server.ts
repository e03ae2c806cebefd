import { execFile } from 'node:child_process';
import { chown, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { type StartedProcess, startProcess } from './start-process.ts';
import { tempDir } from './temp-dir.ts';

const run = promisify(execFile);

/** PostgreSQL refuses to run as root: there it runs as nobody. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;

type Found = { readonly postgres: string; readonly initdb: string } | { readonly missing: string };

async function find(): Promise<Found> {
  const script = fileURLToPath(new URL('../../../scripts/servers.mjs', import.meta.url));
  const { stdout } = await run(process.execPath, [script, 'postgres', 'initdb'], { timeout: 300_000 });
  const told: unknown = JSON.parse(stdout);
  const paths = new Map<string, string>();
  for (const name of ['postgres', 'initdb'] as const) {
    const found = isRecord(told) ? told[name] : undefined;
    if (isRecord(found) && typeof found.missing === 'string') return { missing: found.missing };
    if (!isRecord(found) || typeof found.path !== 'string')
      return { missing: `scripts/servers.mjs said nothing of ${name}: ${stdout}` };
    paths.set(name, found.path);
  }
  const server = { postgres: paths.get('postgres') ?? '', initdb: paths.get('initdb') ?? '' };
  try {
    await run(server.initdb, ['--version'], { ...user, cwd: '/', timeout: 10_000 });
    return server;
  } catch (error) {
    return {
      missing: `PostgreSQL refuses to run as root, and this root can't start it as another: ${error}`,
    };
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

const server = await find();

/** Why tests with a real PostgreSQL can't run; undefined: they can. */
export const noPostgres: string | undefined = 'missing' in server ? server.missing : undefined;
if (noPostgres) console.warn(`Tests with a real PostgreSQL are skipped: ${noPostgres}`);

/** A PostgreSQL that a test started. */
export interface TestPostgres {
  readonly port: number;
  /** Of the database `postgres`, as its superuser. */
  readonly url: string;
  readonly process: StartedProcess;
  /** Starts it again, with what it knew, after it was stopped. */
  restart(): Promise<void>;
  /** Ends it for good, and removes what it kept. Within a test that happens by itself. */
  close(): Promise<void>;
}

/** Starts an empty PostgreSQL on 127.0.0.1, which trusts everybody; it ends with the test. It survives no crash of the machine. */
export async function startPostgres(): Promise<TestPostgres> {
  if ('missing' in server) throw new Error(server.missing);
  const { postgres, initdb } = server;
  const folder = await tempDir();
  if (user) await chown(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const options = ['--auth=trust', '--username=nexus', '--encoding=UTF8', '--locale=C', '--no-sync'];
  await run(initdb, ['-D', data, ...options], { ...user, cwd: folder, timeout: 120_000 });
  const port = await freePort();
  const start = () =>
    startProcess({
      command: postgres,
      args: [
        ...['-D', data, '-p', `${port}`, '-h', '127.0.0.1', '-c', 'unix_socket_directories='],
        ...['-c', 'fsync=off', '-c', 'max_connections=40', '-c', 'shared_buffers=32MB'],
      ],
      cwd: folder,
      readyWhen: /ready to accept connections/,
      readyWithinMs: 60_000,
      ...(user ? { user } : {}),
    });
  let running = await start();
  return {
    port,
    url: `postgres://nexus@127.0.0.1:${port}/postgres`,
    get process() {
      return running;
    },
    restart: async () => {
      running = await start();
    },
    close: async () => {
      await running.stop('SIGQUIT');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
