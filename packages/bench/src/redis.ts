import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Connections, connectRedis } from '@nexus/limits';
import { freePort, startProgram, untilListening } from './started-process.ts';

const FINDER = fileURLToPath(new URL('../../../scripts/servers.mjs', import.meta.url));
const run = promisify(execFile);
const READY_MS = 15_000;

/** Where there is no Redis: why, and what to install. */
export interface NoRedis {
  readonly missing: string;
}

/** A Redis that keeps nothing on disk, for one measurement. */
export interface StartedRedis {
  readonly url: string;
  readonly connections: Connections;
  /** Scripts run since `forgetCalls`, and how long they took in the server, in microseconds. */
  readonly calls: () => Promise<{ readonly count: number; readonly us: number }>;
  readonly forgetCalls: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/**
 * Starts redis-server, from PATH or as scripts/servers.mjs unpacks it.
 * @param cores to run on, as taskset takes them; undefined: any
 * @throws Error with what it complained about, if it does not come up
 */
export async function startRedis(cores: string | undefined): Promise<StartedRedis | NoRedis> {
  const found = await findRedis();
  if ('missing' in found) return found;
  const port = await freePort();
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const server = startProgram(found.path, options, { cores, asks: false });
  await untilListening(server, port);
  const url = `redis://127.0.0.1:${port}`;
  // A busy machine may keep an answer waiting; here nobody waits for it.
  const connections = connectRedis({ url, commandTimeoutMs: 10_000 }, () => {});
  const stop = async (): Promise<void> => {
    connections.close();
    await server.stop();
  };
  if (!(await connections.untilReady(READY_MS))) {
    await stop();
    throw new Error(`Redis did not answer within ${READY_MS} ms.`);
  }
  const { admitting } = connections;
  return {
    url,
    connections,
    calls: async () => readCalls(await admitting.info('commandstats')),
    forgetCalls: async () => {
      await admitting.config('RESETSTAT');
    },
    stop,
  };
}

/** What `INFO commandstats` says of EVALSHA. */
export function readCalls(info: string): { readonly count: number; readonly us: number } {
  const [, count = '0', us = '0'] = /^cmdstat_evalsha:calls=(\d+),usec=(\d+)/m.exec(info) ?? [];
  return { count: Number(count), us: Number(us) };
}

async function findRedis(): Promise<{ readonly path: string } | NoRedis> {
  const { stdout } = await run(process.execPath, [FINDER, 'redis-server']);
  const told: unknown = JSON.parse(stdout);
  const { path, missing } = Object(Object(told)['redis-server']);
  return typeof path === 'string' ? { path } : { missing: String(missing) };
}
