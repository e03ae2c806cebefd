import { type Config, ConfigProblems, type LoadedConfig } from '@nexus/config';
import { createLog, type Log } from '@nexus/observe';
import { type Gateway, startGateway } from '../gateway.ts';
import { loadCheckedConfig, sayProblems } from '../load-config.ts';
import { VERSION } from '../version.ts';
import { banner } from './banner.ts';
import { startStandIn } from './simulate.ts';

/** Runs the gateway until it is told to end; resolves with the exit code. */
export async function serve(given: readonly string[]): Promise<number> {
  const simulated = given.includes('--simulate');
  const settings = given.filter((arg) => arg !== '--simulate');
  const standIn = simulated ? await startStandIn() : undefined;
  const target = standIn ? ['--target-url', standIn.url] : [];
  const args = [...settings, ...target];
  const loaded = readConfig(args);
  if (typeof loaded === 'number') {
    await standIn?.close();
    return loaded;
  }
  const { config } = loaded;
  const log = createLog({ level: config.logLevel });
  const gateway = await startOrSay(loaded, log, () => load(args, true));
  if (gateway === undefined) {
    await standIn?.close();
    return 1;
  }
  log.info('listening', { url: gateway.url, version: VERSION });
  process.stderr.write(banner(config, gateway, simulated));
  const code = await untilEnded(gateway, log);
  await standIn?.close();
  return code;
}

function load(args: readonly string[], isReload: boolean): LoadedConfig {
  return loadCheckedConfig({ args, env: process.env, cwd: process.cwd(), isReload });
}

/** The configuration; where it is bad, which has been said, the exit code. */
function readConfig(args: readonly string[]): LoadedConfig | number {
  try {
    return load(args, false);
  } catch (error) {
    if (!(error instanceof ConfigProblems)) throw error;
    return sayProblems(error);
  }
}

async function startOrSay(
  loaded: LoadedConfig,
  log: Log,
  reload: () => LoadedConfig,
): Promise<Gateway | undefined> {
  try {
    return await startGateway(loaded, log, reload);
  } catch (error) {
    const why = listenProblem(error, loaded.config);
    if (why === undefined) throw error;
    process.stderr.write(`nexus: ${why}\n`);
    return undefined;
  }
}

/** Which address can't be listened on, why, and what to do; undefined: the error is another one. */
function listenProblem(error: unknown, { listenHost, listenPort, admin }: Config): string | undefined {
  if (!(error instanceof Error && 'code' in error)) return undefined;
  const atPort = 'port' in error ? error.port : undefined;
  const isAdmin = admin !== undefined && atPort === admin.port && admin.port !== listenPort;
  const host = isAdmin ? admin.host : listenHost;
  const port = isAdmin ? admin.port : listenPort;
  const flag = (free: number) => (isAdmin ? `--admin-listen ${host}:${free}` : `--listen-port ${free}`);
  switch (error.code) {
    case 'EADDRINUSE':
      return `${host}:${port}: the port is in use. Stop what listens there, or choose another: ${flag(isAdmin ? 9091 : 8081)}`;
    case 'EACCES':
      return `${host}:${port}: this port is not allowed to this user. Choose one above 1023: ${flag(isAdmin ? 9090 : 8080)}`;
    case 'EADDRNOTAVAIL':
      return `${host}:${port}: this machine has no such address. Set ${isAdmin ? 'admin.listen' : 'listen_host'} to one of its own, such as 127.0.0.1`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      if (!('hostname' in error) || (error.hostname !== listenHost && error.hostname !== admin?.host))
        return undefined;
      return `${error.hostname}: there is no such host to listen on. Write an address of this machine, such as 127.0.0.1`;
    default:
      return undefined;
  }
}

/** Signals that come this close together are one that came by several ways. */
const SAME_SIGNAL_MS = 100;

/** SIGTERM or SIGINT drains, a second one ends at once; a fault nobody caught drains too, and the exit code tells. */
function untilEnded(gateway: Gateway, log: Log): Promise<number> {
  return new Promise((resolve) => {
    let code = 0;
    let toldMs = Number.NEGATIVE_INFINITY;
    const end = (why: string) => {
      // A terminal or a supervisor tells the whole process group, and npm and its shell pass it on as well.
      const nowMs = performance.now();
      if (nowMs - toldMs < SAME_SIGNAL_MS) return;
      toldMs = nowMs;
      log.info('ending', { why, underWay: gateway.underWay() });
      gateway.close().then(
        () => resolve(code),
        (error: unknown) => {
          log.error('ending failed', { error });
          resolve(1);
        },
      );
    };
    const broke = (error: unknown) => {
      code = 1;
      log.error('fault', { error });
      end('fault');
    };
    process.on('SIGTERM', () => end('SIGTERM'));
    process.on('SIGINT', () => end('SIGINT'));
    process.on('SIGHUP', () => gateway.reload());
    process.on('uncaughtException', broke);
    process.on('unhandledRejection', broke);
  });
}
