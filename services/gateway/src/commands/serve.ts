import { ConfigProblems, type LoadedConfig } from '@nexus/config';
import { createLog, type Log } from '@nexus/observe';
import { type Gateway, startGateway } from '../gateway.ts';
import { loadCheckedConfig } from '../load-config.ts';
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
  if (loaded === undefined) {
    await standIn?.close();
    return 1;
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

function readConfig(args: readonly string[]): LoadedConfig | undefined {
  try {
    return load(args, false);
  } catch (error) {
    if (!(error instanceof ConfigProblems)) throw error;
    process.stderr.write(`${error}\n`);
    return undefined;
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
    const remedy = listenRemedy(error);
    if (remedy === undefined) throw error;
    const { listenHost, listenPort } = loaded.config;
    process.stderr.write(`nexus: ${listenHost}:${listenPort}: ${remedy}\n`);
    return undefined;
  }
}

function listenRemedy(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'EADDRINUSE':
      return 'the port is in use. Stop what listens there, or choose another: --listen-port 8081';
    case 'EACCES':
      return 'this port is not allowed to this user. Choose one above 1023: --listen-port 8080';
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address. Set listen_host to one of its own, such as 0.0.0.0';
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
