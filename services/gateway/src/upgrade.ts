import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { GatewayError } from '@nexus/domain';
import { isOwnPath } from './app.ts';
import { fail, keepCause, type Parts } from './handle.ts';
import { admit, type Held } from './path/admit.ts';
import { arrive } from './path/arrive.ts';
import type { Exchange } from './path/exchange.ts';
import { checkFraming } from './path/framing.ts';
import { identify } from './path/identify.ts';
import { record } from './path/record.ts';
import { settle } from './path/settle.ts';
import { isClosing } from './reply/closing.ts';
import { limitHeaders } from './reply/limit-headers.ts';
import { replyRefusal } from './reply/own-reply.ts';

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
  const exchange: Exchange = { ...arrive(req, res, parts), kind: undefined };
  const flight = parts.inFlight.add(exchange);
  flight.breakOff = () => socket.destroy();
  const refuse = (error: unknown) => {
    answerOn(socket, res);
    fail(exchange, error);
    socket.end();
  };
  let held: Held | undefined;
  try {
    checkFraming(req);
    if (isOwnPath(req.url)) throw new GatewayError('not_found');
    exchange.identity = identify(req.headers, parts.principals);
    const admission = await admit(exchange, parts);
    if (admission.passes) {
      held = admission.held;
      flight.reservation = held.reservation;
      await parts.upstream.passthrough.join(exchange, socket, head, refuse);
      if (exchange.errorCode === undefined) res.statusCode = exchange.upstreamStatus ?? 101;
    } else {
      exchange.refusal = admission.reply;
      answerOn(socket, res);
      const buckets = exchange.decision?.buckets ?? [];
      replyRefusal(exchange, admission.reply, limitHeaders(buckets, exchange.dialect, Date.now()));
      socket.end();
    }
  } catch (error) {
    refuse(error);
  }
  if (held)
    await settle(exchange, held.reservation, undefined, parts.limiter, parts.learned).catch(
      keepCause(exchange),
    );
  record(exchange, parts.log, parts.nowMs());
  parts.inFlight.remove(flight);
}

/** Lets an ordinary answer be written where the upgrade was asked for. */
function answerOn(socket: Socket, res: ServerResponse): void {
  if (socket.destroyed || res.socket) return;
  res.shouldKeepAlive = false;
  res.assignSocket(socket);
}
