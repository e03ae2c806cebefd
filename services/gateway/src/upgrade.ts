import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { GatewayError } from '@nexus/domain';
import { isOwnPath } from './app.ts';
import { conclude, fail, type Parts, refuse } from './handle.ts';
import { admit } from './path/admit.ts';
import { arrive } from './path/arrive.ts';
import { attribute } from './path/attribute.ts';
import type { Exchange } from './path/exchange.ts';
import { choose, join } from './path/forward.ts';
import { checkFraming } from './path/framing.ts';
import { identify } from './path/identify.ts';
import { isClosing } from './reply/closing.ts';

/**
 * The path of a WebSocket: the same steps, a request and a slot for as long as it is open. What it says is not read.
 */
export async function handleUpgrade(
  req: IncomingMessage,
  socket: Socket,
  head: Buffer,
  parts: Parts,
): Promise<void> {
  if (isClosing(socket)) return;
  socket.on('error', () => socket.destroy());
  const res = new ServerResponse(req);
  const exchange: Exchange = { ...arrive(req, res, parts), kind: undefined, upload: undefined };
  const flight = parts.inFlight.add(exchange);
  flight.breakOff = () => socket.destroy();
  const answer = (reply: () => void) => {
    answerOn(socket, res);
    reply();
    socket.end();
  };
  try {
    checkFraming(req);
    if (isOwnPath(req.url)) throw new GatewayError('not_found');
    exchange.identity = identify(req.headers, parts.principals);
    const { upstream } = parts;
    attribute(exchange);
    choose(exchange, upstream);
    const admission = await admit(exchange, parts);
    if (admission.passes) {
      flight.reservation = admission.held.reservation;
      if (await parts.turns.come(exchange, admission.held.startMs, socket))
        await join(exchange, socket, head, {
          upstream,
          refuse: (error) => answer(() => fail(exchange, error)),
        });
      if (exchange.errorCode === undefined) res.statusCode = exchange.upstreamStatus ?? 101;
    } else answer(() => refuse(exchange, admission));
  } catch (error) {
    answer(() => fail(exchange, error));
  }
  await conclude(flight, undefined, parts);
}

/** Lets an ordinary answer be written where the upgrade was asked for. */
function answerOn(socket: Socket, res: ServerResponse): void {
  if (socket.destroyed || res.socket) return;
  res.shouldKeepAlive = false;
  res.assignSocket(socket);
}
