import { type Limiter, NO_USAGE, type Reservation, type Settlement, type Usage } from '@nexus/domain';
import type { Ledger } from '@nexus/ledger';
import type { LearnedOutput } from '@nexus/limits';
import { type CallReading, hasOutput } from '@nexus/tokens';
import type { BudgetAlerts } from '../alerts/alerts.ts';
import { ledgerEntry } from '../ledger/entry.ts';
import type { Exchange } from './exchange.ts';
import { costOf } from './price.ts';
import type { ShadowTrial } from './shadow.ts';

/** What is made of a reservation at the end: all of it given back, or the usage charged in its place. */
export type Settling = { readonly giveBack: true } | { readonly giveBack: false; readonly usage: Usage };

/** What of an exchange says what it owes. */
export interface Owing extends Pick<Exchange, 'sent' | 'ending'> {
  readonly upstreamStatus?: Exchange['upstreamStatus'] | undefined;
  readonly errorCode?: Exchange['errorCode'] | undefined;
  readonly reading?: Pick<CallReading, 'inputTokens' | 'inputSource'> | undefined;
}

/**
 * What a request owes, whatever happened to it.
 *
 * - never reached the upstream, or the upstream answered 429 or 5xx: nothing, not even the request;
 * - the upstream broke off before its answer: the request;
 * - nobody waited for the answer (the client left, the time was up): the input, which the upstream has read;
 * - any other answer: what the meter knows, streams that broke off too; an error answer without a usage costs no tokens.
 */
export function settling(exchange: Owing, metered: Usage | undefined): Settling {
  const { sent, upstreamStatus, reading, ending, errorCode } = exchange;
  if (!sent) return { giveBack: true };
  if (upstreamStatus === undefined) {
    const unheard = ending === 'client left' || errorCode === 'upstream_timeout';
    if (!unheard || !reading) return { giveBack: false, usage: NO_USAGE };
    return {
      giveBack: false,
      usage: { ...NO_USAGE, inputTokens: reading.inputTokens, source: reading.inputSource },
    };
  }
  if (upstreamStatus === 429 || upstreamStatus >= 500) return { giveBack: true };
  if (metered === undefined) return { giveBack: false, usage: NO_USAGE };
  if (upstreamStatus >= 400 && metered.source !== 'reported') return { giveBack: false, usage: NO_USAGE };
  return { giveBack: false, usage: metered };
}

/** Who must know how a request ended. */
export interface SettleParts {
  readonly limiter: Limiter;
  readonly learned: LearnedOutput;
  readonly alerts: BudgetAlerts;
  /** Absent: nobody keeps records. */
  readonly ledger?: Ledger | undefined;
  readonly nowMs: () => number;
}

/**
 * Swaps the reservation for what was used and records it, remembers how long this key's answers are, and tells of budgets that are
 * nearly spent.
 */
export async function settle(
  exchange: Exchange,
  reservation: Reservation,
  metered: Usage | undefined,
  parts: SettleParts,
): Promise<void> {
  const { limiter, learned, alerts } = parts;
  const end = settling(exchange, metered);
  if (end.giveBack) {
    exchange.usage = NO_USAGE;
    await limiter.cancel(reservation, recordOf(exchange, false, parts));
    if (exchange.trial) await endTrial(exchange, exchange.trial, undefined);
    return;
  }
  exchange.usage = end.usage;
  const { inputTokens, outputTokens } = end.usage;
  const nanoUsd = exchange.price ? costOf(exchange.price, end.usage, exchange.upstreamStatus) : 0;
  if (exchange.price) exchange.costNanoUsd = nanoUsd;
  const used = { inputTokens, outputTokens, nanoUsd };
  await limiter.settle(reservation, used, recordOf(exchange, true, parts));
  if (exchange.trial) await endTrial(exchange, exchange.trial, used);
  alerts.look(exchange.decision?.buckets ?? [], reservation.demand, used);
  const { reading, model, kind, identity, ending, upstreamStatus } = exchange;
  if (!reading || !kind || !hasOutput(kind, reading.stream)) return;
  if (identity && ending === 'whole' && upstreamStatus !== undefined && upstreamStatus < 300)
    learned.learn(identity.principal.keyId, model ?? '', outputTokens / reading.choices);
}

/** Records the exchange; the text is what the limiter is to write with its end, where instances share a ledger. */
function recordOf(
  exchange: Exchange,
  isCharged: boolean,
  { ledger, nowMs }: SettleParts,
): string | undefined {
  const tookMs = nowMs() - exchange.startedMs;
  return ledger?.record(ledgerEntry(exchange, isCharged, { endedMs: Date.now(), tookMs }));
}

async function endTrial(exchange: Exchange, trial: ShadowTrial, used: Settlement | undefined): Promise<void> {
  const refused = await trial.end(used);
  if (refused.length > 0) exchange.shadowed = refused;
}
