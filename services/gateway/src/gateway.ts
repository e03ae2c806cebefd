import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Config, LoadedConfig } from '@nexus/config';
import { GatewayError, type WindowUse } from '@nexus/domain';
import { LearnedOutput } from '@nexus/limits';
import { createMetrics, type Log } from '@nexus/observe';
import { CallReader } from '@nexus/tokens';
import { BudgetAlerts } from './alerts/alerts.ts';
import { adminApp, listener } from './app.ts';
import { ChangedBudgets } from './budgets/changed-budgets.ts';
import type { Parts } from './handle.ts';
import { openKeys } from './keys/open-keys.ts';
import { usedOnRecord } from './ledger/on-record.ts';
import { openLedger, outlivesTheLimiter } from './ledger/open-ledger.ts';
import { Drain } from './ops/drain.ts';
import { InFlight } from './ops/in-flight.ts';
import { LiveConfig } from './ops/live-config.ts';
import { presentState } from './ops/metrics.ts';
import { Prices } from './path/price.ts';
import { Turns } from './path/turns.ts';
import { replyError } from './reply/own-reply.ts';
import { createServer, listen, showCertificate } from './server.ts';
import { LEASE_MS, openStore } from './store.ts';
import { handleUpgrade } from './upgrade.ts';
import { LiveUpstream } from './upstream/live-upstream.ts';
import { VERSION } from './version.ts';

/** A running gateway. */
export interface Gateway {
  /** Where it listens: `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly port: number;
  readonly adminUrl: string | undefined;
  /** Takes over the configuration as it is now; its problems go to the log. */
  reload(): void;
  /** Requests under way. */
  underWay(): number;
  /** Ends it without losing a request; a second call ends it now. `noticeMs`: how long new connections are still taken. */
  close(noticeMs?: number): Promise<void>;
}

/** How often requests under way are looked at. */
const CHECK_EVERY_MS = 1_000;

/** Milliseconds since 1970 by a clock that never jumps, with their fraction. */
function steadyNowMs(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * Builds every part from the configuration, and listens.
 * @param reload reads the configuration anew, when its file has changed; throws ConfigProblems
 * @throws Error with a `code` if the address can't be listened on
 */
export async function startGateway(
  loaded: LoadedConfig,
  log: Log,
  reload: () => LoadedConfig = () => loaded,
): Promise<Gateway> {
  const { config } = loaded;
  const nowMs = steadyNowMs;
  const ledger = await openLedger(config, log);
  let onRecord = async (): Promise<readonly WindowUse[]> => [];
  const store = await openStore(config, log, () => onRecord());
  const { limiter, claim } = store;
  const keys = await openKeys(config, store, nowMs, log);
  const live = new LiveConfig(loaded, reload, log, keys.issued, (audit) => keys.keeper.note(audit));
  const budgets = new ChangedBudgets(keys.issued, Date.now);
  if (ledger && outlivesTheLimiter(config))
    onRecord = () =>
      usedOnRecord(ledger, { config: live.config, principals: live.principals, budgets }, nowMs(), log);
  await limiter.restore(await onRecord());
  const alerts = new BudgetAlerts({ target: () => live.config.alerts, claim, log });
  const inFlight = new InFlight({
    nowMs,
    checkEveryMs: Math.min(CHECK_EVERY_MS, config.timeouts.idleMs),
    renewEveryMs: LEASE_MS / 3,
    idleMs: () => live.config.timeouts.idleMs,
    renew: (reservations) =>
      void limiter.renew(reservations).catch((error: unknown) => log.error('renewal failed', { error })),
    onSlowClient: ({ exchange }) => replyError(exchange, new GatewayError('request_timeout')),
  });
  const drain = new Drain(inFlight, () => live.config.timeouts.drainMs);
  const turns = new Turns({ longestMs: () => live.config.maxWaitMs, nowMs });
  const metrics = createMetrics({
    version: VERSION,
    present: () =>
      presentState({ limiter, onRedisFailure: config.onRedisFailure, inFlight, turns, drain, ledger }),
    nowMs,
  });
  const upstream = new LiveUpstream(config, { nowMs, log, ended: () => inFlight.ended() });
  const parts: Parts = {
    get config() {
      return live.config;
    },
    get principals() {
      return live.principals;
    },
    get proxies() {
      return live.proxies;
    },
    reader: new CallReader(),
    limiter,
    learned: new LearnedOutput(),
    prices: new Prices(() => live.config),
    budgets,
    turns,
    alerts,
    ledger,
    get upstream() {
      return upstream.current;
    },
    inFlight,
    log,
    metrics,
    nowMs,
  };
  const inside = { version: VERSION, limiter, inFlight, drain, live, keys, ledger, nowMs };
  const server = createServer(listener(parts, inside), config.tls);
  server.on('upgrade', (req, socket: Socket, head) => void handleUpgrade(req, socket, head, parts));
  const admin = config.admin ? createServer(adminApp(parts, inside), undefined) : undefined;
  const { port, adminUrl } = await open(server, admin, config).catch(async (error: unknown) => {
    metrics.close();
    keys.close();
    await limiter.close();
    await ledger?.close();
    throw error;
  });
  parts.reader.warm();
  if (admin) metrics.warm();
  await live.watch((next) => {
    if (next.tls) showCertificate(server, next.tls);
    if (next.logLevel !== live.config.logLevel) log.setLevel(next.logLevel);
    upstream.takeOver(next);
  });

  const close = async (noticeMs?: number) => {
    const noted = live.stop();
    await drain.run(server, noticeMs);
    await noted;
    keys.close();
    await alerts.close();
    if (admin) await closeNow(admin);
    upstream.close();
    await Promise.all([parts.reader.close(), limiter.close()]);
    await ledger?.close();
    metrics.close();
    await log.flush();
  };
  let closing: Promise<void> | undefined;

  return {
    url: `${config.tls ? 'https' : 'http'}://${shownHost(config.listenHost)}:${port}`,
    port,
    adminUrl,
    underWay: () => inFlight.size,
    reload: () => live.takeOver('signal'),
    close: (noticeMs) => {
      if (closing) drain.hurry();
      closing ??= close(noticeMs);
      return closing;
    },
  };
}

function closeNow(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Listens on both addresses, or on none. */
async function open(
  server: Server,
  admin: Server | undefined,
  config: Config,
): Promise<{ port: number; adminUrl: string | undefined }> {
  const { port } = await listen(server, config.listenPort, config.listenHost);
  if (!admin || !config.admin) return { port, adminUrl: undefined };
  try {
    const inside = await listen(admin, config.admin.port, config.admin.host);
    return { port, adminUrl: `http://${shownHost(config.admin.host)}:${inside.port}` };
  } catch (error) {
    server.close();
    throw error;
  }
}

/** A host as a person can paste it. */
function shownHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
