import type { Log, RequestLine } from '@nexus/observe';
import type { Exchange } from './exchange.ts';

/** The last step, whatever happened: one log line. */
export function record(exchange: Exchange, log: Log, nowMs: number): void {
  log.request(requestLine(exchange, nowMs));
}

function sentence(exchange: Exchange): RequestLine['message'] {
  if (exchange.decision?.admitted === false || exchange.res.statusCode === 429) return 'request denied';
  if (exchange.ending === 'client left') return 'client left';
  if (exchange.errorCode !== undefined || exchange.ending === 'upstream broke') return 'request failed';
  return 'request completed';
}

function requestLine(exchange: Exchange, nowMs: number): RequestLine {
  const { decision, reading, res } = exchange;
  return { } as never;
}
