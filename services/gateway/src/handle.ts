import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config, Principals } from '@nexus/config';
import { GatewayError, type Limiter, type Usage } from '@nexus/domain';
import type { Ledger } from '@nexus/ledger';
import type { LearnedOutput } from '@nexus/limits';
import type { Log, Metrics } from '@nexus/observe';
import type { CallReader } from '@nexus/tokens';
import type { BudgetAlerts } from './alerts/alerts.ts';
import type { ChangedBudgets } from './budgets/changed-budgets.ts';
import type { Flight, InFlight } from './ops/in-flight.ts';
import { admit, type MayNotPass } from './path/admit.ts';
import { arrive } from './path/arrive.ts';
import { attribute } from './path/attribute.ts';
import type { TrustedProxies } from './path/client-address.ts';
import type { Exchange } from './path/exchange.ts';
import { choose, type Forwarded, forward, type Upstream } from './path/forward.ts';
import { checkFraming } from './path/framing.ts';
import { identify } from './path/identify.ts';
import type { Prices } from './path/price.ts';
import { read } from './path/read.ts';
import { record } from './path/record.ts';
import { settle } from './path/settle.ts';
import type { Turns } from './path/turns.ts';
import { limitHeaders } from './reply/limit-headers.ts';
import { replyError, replyRefusal } from './reply/own-reply.ts';

/** What the path needs. */
export interface Parts {
  readonly config: Config;
  readonly principals: Principals;
  readonly reader: CallReader;
  readonly limiter: Limiter;
  readonly learned: LearnedOutput;
  /** What calls cost. */
  readonly prices: Prices;
  /** The budgets that were changed while Nexus runs. */
  readonly budgets: ChangedBudgets;
  readonly turns: Turns;
  readonly alerts: BudgetAlerts;
  /** Absent: nobody keeps records. */
  readonly ledger: Ledger | undefined;
  readonly upstream: Upstream;
  readonly inFlight: InFlight;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Whose X-Forwarded-For is believed. */
  readonly proxies: TrustedProxies;
  /** A clock that never jumps, in milliseconds. */
  readonly nowMs: () => number;
}

/**
 * The path of a request, from its first byte to its record:
 *
 *     arrive → identify → read → attribute → choose → admit → wait → forward + meter → settle → record
 *
 * Never rejects: what goes wrong is answered, settled and recorded here.
 */
export async function handle(req: IncomingMessage, res: ServerResponse, parts: Parts): Promise<void> {
  const exchange = arrive(req, res, parts);
  const flight = parts.inFlight.add(exchange);
  let forwarded: Forwarded | undefined;
  try {
    checkFraming(req);
    exchange.identity = identify(req.headers, parts.principals);
    // Of the same configuration as the key: a changed one must not send this one's key to another host.
    const { upstream } = parts;
    await read(exchange, parts.reader, parts.config.bodyLimitBytes);
    attribute(exchange);
    choose(exchange, upstream);
    const admission = await admit(exchange, parts);
    if (admission.passes) {
      flight.reservation = admission.held.reservation;
      const comes = parts.turns.come(exchange, admission.held.startMs, res);
      if (comes === true || (await comes))
        forwarded = await forward(exchange, admission.held, flight, { upstream, prices: parts.prices });
    } else refuse(exchange, admission);
  } catch (error) {
    fail(exchange, error);
  }
  await conclude(flight, forwarded?.usage, parts);
}

/** Answers what a limit said. */
export function refuse(exchange: Exchange, { reply }: MayNotPass): void {
  exchange.refusal = reply;
  const buckets = exchange.decision?.buckets ?? [];
  replyRefusal(exchange, reply, limitHeaders(buckets, exchange.dialect, Date.now()));
}

/** The last steps of every path, whatever happened on it: settle what was held, and record. Never rejects. */
export async function conclude(flight: Flight, usage: Usage | undefined, parts: Parts): Promise<void> {
  const { exchange, reservation } = flight;
  const endedMs = parts.nowMs();
  if (reservation) {
    try {
      await settle(exchange, reservation, usage, parts);
    } catch (error) {
      exchange.cause ??= error;
    }
    exchange.settlementMs = parts.nowMs() - endedMs;
  }
  record(exchange, parts, endedMs);
  parts.inFlight.remove(flight);
}

/** Answers what ended the path; what isn't a GatewayError is a bug of ours, and the log gets its stack. */
export function fail(exchange: Exchange, error: unknown): void {
  const known = error instanceof GatewayError ? error : new GatewayError('internal_error', { cause: error });
  exchange.errorCode = known.code;
  exchange.cause ??= known.cause;
  replyError(exchange, known);
}
