import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { fail, type Parts } from './handle.ts';
import { admit, type Held } from './path/admit.ts';
import { arrive } from './path/arrive.ts';
import { checkFraming } from './path/framing.ts';
import { identify } from './path/identify.ts';
import { record } from './path/record.ts';
import { settle } from './path/settle.ts';
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
  socket.on('error', () => socket.destroy());
  const res = new ServerResponse(req);
  const exchange = { ...arrive(req, res, parts.nowMs()), kind: undefined };
  const flight = parts.inFlight.add(exchange);
  let held: Held | undefined;
  try {
    checkFraming(req);
    exchange.identity = identify(req.headers, parts.principals);
    const admission = await admit(exchange, parts);
    if (admission.passes) {
      held = admission.held;
      flight.reservation = held.reservation;
      await parts.upstream.passthrough.join(exchange, socket, head);
    } else {
      exchange.refusal = admission.reply;
      answerOn(socket, res);
      replyRefusal(
        exchange,
        admission.reply,
        limitHeaders(exchange.decision?.buckets ?? [], exchange.dialect, Date.now()),
      );
    }
  } catch (error) {
    answerOn(socket, res);
    fail(exchange, error);
  }
  if (held) await settle(exchange, held.reservation, undefined, parts.limiter, parts.learned).catch(() => {});
  record(exchange, parts.log, parts.proxies, parts.nowMs());
  parts.inFlight.remove(flight);
}

/** Lets an ordinary answer be written where the upgrade was asked for. */
function answerOn(socket: Socket, res: ServerResponse): void {
  if (socket.destroyed || res.socket) return;
  res.shouldKeepAlive = false;
  res.assignSocket(socket);
  res.once('finish', () => socket.end());
}
