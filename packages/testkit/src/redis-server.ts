import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { type StartedProcess, startProcess } from './start-process.ts';
import { tempDir } from './temp-dir.ts';

const run = promisify(execFile);

type Found = { readonly path: string } | { readonly missing: string };

async function find(): Promise<Found> {
  const script = fileURLToPath(new URL('../../../scripts/servers.mjs', import.meta.url));
  const { stdout } = await run(process.execPath, [script, 'redis-server'], { timeout: 120_000 });
  const told: unknown = JSON.parse(stdout);
  const found = typeof told === 'object' && told !== null && 'redis-server' in told && told['redis-server'];
  if (typeof found === 'object' && found !== null) {
    if ('path' in found && typeof found.path === 'string') return { path: found.path };
    if ('missing' in found && typeof found.missing === 'string') return { missing: found.missing };
  }
  return { missing: `scripts/servers.mjs said nothing of redis-server: ${stdout}` };
}

const server = await find();

/** Why tests with a real Redis can't run; undefined: they can. */
export const noRedis: string | undefined = 'missing' in server ? server.missing : undefined;
if (noRedis) console.warn(`Tests with a real Redis are skipped: ${noRedis}`);

/** The executable. */
export function redisServerPath(): string {
  if ('missing' in server) throw new Error(server.missing);
  return server.path;
}

/** A Redis that a test started. */
export interface TestRedis {
  readonly port: number;
  readonly url: string;
  readonly process: StartedProcess;
  /** A plain client of the test's own, without the limiter's strict options. */
  readonly client: Redis;
}

/** Starts a Redis without disk on 127.0.0.1; it ends with the test. `args` are laid over its options. */
export async function startRedis(
  args: readonly string[] = [],
  options: { readonly port?: number; readonly password?: string } = {},
): Promise<TestRedis> {
  const port = options.port ?? (await freePort());
  const process = await startProcess({
    command: redisServerPath(),
    args: [
      ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', await tempDir()],
      ...['--save', '', '--appendonly', 'no', ...args],
    ],
    readyWhen: /Ready to accept connections|Running mode=sentinel/,
  });
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    protocol: 2,
    ...(options.password === undefined ? {} : { password: options.password }),
  });
  client.on('error', () => {});
  return { port, url: `redis://127.0.0.1:${port}`, process, client };
}
