import { type LedgerEntry, NO_USAGE } from '@nexus/domain';
import type { Exchange } from '../path/exchange.ts';

/** There is but one. */
const TENANT = 'default';

/**
 * The record of an exchange that held a reservation, once its usage is settled.
 * @param endedMs by the calendar's clock, unlike the times of the exchange
 * @param tookMs from its arrival until now
 */
export function ledgerEntry(
  exchange: Exchange,
  isCharged: boolean,
  { endedMs, tookMs }: { readonly endedMs: number; readonly tookMs: number },
): LedgerEntry {
  const { id, requestId, identity, customer, feature, model, res, ending, usage, costNanoUsd } = exchange;
  const { principal } = identity ?? {};
  return {
    id,
    requestId,
    startedMs: Math.round(endedMs - tookMs),
    endedMs: Math.round(endedMs),
    tenant: TENANT,
    team: principal?.team?.name,
    keyId: principal?.keyId ?? '',
    customer: customer?.name,
    feature,
    model,
    upstream: exchange.attempt?.upstream.name,
    status: res.statusCode,
    ending,
    isCharged,
    usage: usage ?? NO_USAGE,
    costNanoUsd: isCharged ? costNanoUsd : undefined,
  };
}
