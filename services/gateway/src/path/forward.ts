import type { Socket } from 'node:net';
import { GatewayError, type Usage } from '@nexus/domain';
import type { Flight } from '../ops/in-flight.ts';
import type { Call } from '../upstream/call.ts';
import { Declined } from '../upstream/failures.ts';
import type { Ways } from '../upstream/named-upstream.ts';
import { Upstreams } from '../upstream/upstreams.ts';
import type { Held } from './admit.ts';
import type { Exchange } from './exchange.ts';
import type { Prices } from './price.ts';

/** The two ways to the one upstream, or several upstreams. */
export type Upstream = Ways | Upstreams;

/** A reservation whose request has been upstream: it can only be settled. */
export interface Forwarded {
  readonly forwarded: true;
  /** What the meter read from the answer; undefined where there was nothing to read. */
  readonly usage: Usage | undefined;
}

/**
 * Chooses among several upstreams.
 * @throws GatewayError `model_not_found` or `not_found` where none serves the request
 */
export function choose(exchange: Exchange, upstream: Upstream): void {
  if (upstream instanceof Upstreams) exchange.chosen = upstream.choose(exchange);
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
  { upstream, prices }: { readonly upstream: Upstream; readonly prices: Prices },
): Promise<Forwarded> {
  const forwarded = await send(exchange, flight, upstream, prices);
  const isLearned = exchange.kind === undefined && exchange.model !== undefined;
  if (isLearned) exchange.price = prices.at(exchange, exchange.attempt?.upstream, Date.now());
  return forwarded;
}

function send(exchange: Exchange, flight: Flight, upstream: Upstream, prices: Prices): Promise<Forwarded> {
  if (upstream instanceof Upstreams) return forwardToOneOf(upstream, exchange, flight, prices);
  const way = exchange.kind === undefined ? upstream.passthrough : upstream.metered;
  return follow(way.send(exchange), flight);
}

/** Waits for the end of a call, and reads its meter. */
async function follow(call: Call, flight: Flight): Promise<Forwarded> {
  flight.call = call;
  await call.over;
  const settling = call.meter?.settled();
  if (settling) await settling;
  return { forwarded: true, usage: call.meter?.usage() };
}

/** The same, one attempt after the other, until an answer goes to the client or there is nobody left to ask. */
async function forwardToOneOf(
  upstreams: Upstreams,
  exchange: Exchange,
  flight: Flight,
  prices: Prices,
): Promise<Forwarded> {
  const itinerary = upstreams.itinerary(exchange);
  for (;;) {
    const attempt = itinerary.next();
    exchange.attempt = attempt;
    if (attempt.upstream !== exchange.chosen) {
      const price = prices.at(exchange, attempt.upstream, Date.now());
      if (price) exchange.price = price;
    }
    try {
      return await follow(attempt.send(exchange), flight);
    } catch (error) {
      const isDeclined = error instanceof Declined;
      if (!isDeclined && !isWithdrawn(error)) itinerary.failed(attempt);
      if (!itinerary.goesOn) throw error;
      exchange.givenUp ??= [];
      exchange.givenUp.push({
        upstream: attempt.upstream.name,
        status: isDeclined ? error.status : undefined,
      });
    } finally {
      attempt.end();
    }
    // What came before owes nothing: it wasn't sent, or its answer was an error that was given up.
    exchange.sent = false;
    exchange.cause = undefined;
    if (exchange.res.destroyed) {
      exchange.ending = 'client left';
      return { forwarded: true, usage: undefined };
    }
  }
}

/** Whether the request was taken back for what its body says, which isn't the upstream's fault. */
function isWithdrawn(error: unknown): boolean {
  return error instanceof GatewayError && error.status < 500;
}

/** How a WebSocket is joined. */
export interface Joining {
  readonly upstream: Upstream;
  /** Answers the client in place of the upstream, at once. */
  readonly refuse: (error: GatewayError) => void;
}

/** Joins a client's WebSocket with the upstream's; resolves when either end is closed. */
export async function join(
  exchange: Exchange,
  socket: Socket,
  head: Buffer,
  { upstream, refuse }: Joining,
): Promise<void> {
  if (!(upstream instanceof Upstreams)) return upstream.passthrough.join(exchange, socket, head, refuse);
  const attempt = upstream.itinerary(exchange).next();
  exchange.attempt = attempt;
  attempt.begin();
  try {
    await attempt.upstream.ways.passthrough.join(exchange, socket, head, (error) => {
      if (!socket.destroyed) attempt.failed();
      refuse(error);
    });
  } finally {
    attempt.end();
  }
}
