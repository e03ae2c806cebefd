import type { Usage } from '@nexus/domain';
import { formatUsd } from '@nexus/prices';
import type { Exchange } from '../path/exchange.ts';
import { costOf } from '../path/price.ts';
import { settling } from '../path/settle.ts';

/** On answers: what the call cost, in US dollars. On requests: `comment` asks for it at the end of a stream. */
export const COST_HEADER = 'x-nexus-cost';

/**
 * What a client is told that its call cost, in US dollars; undefined where that isn't known when its answer ends: the model has no price, or the
 * upstream has not said what was used.
 */
export function costTold(exchange: Exchange, metered: Usage | undefined): string | undefined {
  const { price } = exchange;
  if (price === undefined || metered?.source !== 'reported') return undefined;
  const end = settling(exchange, metered);
  return end.giveBack ? undefined : formatUsd(costOf(price, end.usage));
}

/** Whether the client wants to be told at the end of its stream. */
export function asksForCost({ req, reading }: Exchange): boolean {
  return reading?.stream === true && req.headers[COST_HEADER] === 'comment';
}
