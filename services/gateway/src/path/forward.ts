import type { Usage } from '@nexus/domain';
import type { Flight } from '../ops/in-flight.ts';
import type { MeteredUpstream } from '../upstream/metered.ts';
import type { Passthrough } from '../upstream/passthrough.ts';
import type { Held } from './admit.ts';
import type { Exchange } from './exchange.ts';

/** The two ways upstream. */
export interface Upstream {
  readonly metered: MeteredUpstream;
  readonly passthrough: Passthrough;
}

/** A reservation whose request has been upstream: it can only be settled. */
export interface Forwarded {
  readonly forwarded: true;
  /** What the meter read from the answer; undefined where there was nothing to read. */
  readonly usage: Usage | undefined;
}

/**
 * Sends a request upstream and gives its answer back as it comes; resolves when the answer is over, however it ended
 * (`exchange.ending`).
 * @throws GatewayError if no answer began
 */
export async function forward(
  exchange: Exchange,
  _held: Held,
  flight: Flight,
  upstream: Upstream,
): Promise<Forwarded> {
  const way = exchange.kind === undefined ? upstream.passthrough : upstream.metered;
  const call = way.send(exchange);
  flight.call = call;
  await call.over;
  await call.meter?.settled();
  return { forwarded: true, usage: call.meter?.usage() };
}
