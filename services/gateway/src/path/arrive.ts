import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TrustedProxies } from './client-address.ts';
import { doorOf } from './door.ts';
import type { Exchange } from './exchange.ts';

/** A client's own request id is kept if it is short and plain. */
const PLAIN_ID = /^[\w.:-]{1,128}$/;

/** Ids of this process: unique over instances by 64 random bits, and cheap. */
const process64 = randomBytes(8).toString('hex');
let arrivals = 0;

/** What arriving needs. */
export interface Arrival {
  readonly nowMs: () => number;
  readonly proxies: TrustedProxies;
}

/** The first step: names the request and sees which door it goes through. Never throws; `checkFraming` refuses. */
export function arrive(req: IncomingMessage, res: ServerResponse, { nowMs, proxies }: Arrival): Exchange {
  const url = req.url ?? '/';
  const end = url.indexOf('?');
  const path = end < 0 ? url : url.slice(0, end);
  const method = req.method ?? 'GET';
  const { kind, dialect, upload } = doorOf(method, path);
  arrivals += 1;
  const id = `req_${process64}${arrivals.toString(36).padStart(8, '0')}`;
  const given = req.headers['x-request-id'] ?? req.headers['request-id'];
  const clientNamedIt = typeof given === 'string' && PLAIN_ID.test(given);
  return {
    req,
    res,
    id,
    requestId: clientNamedIt ? given : id,
    clientNamedIt,
    method,
    path,
    dialect,
    kind,
    upload,
    startedMs: nowMs(),
    client: proxies.clientOf(req),
    sent: false,
    bodyAsked: false,
    ending: 'whole',
    bytesIn: 0,
    bytesOut: 0,
    // Named here though nothing is known of them: an object that gets its fields one by one is moved and copied again and again.
    identity: undefined,
    customer: undefined,
    feature: undefined,
    body: undefined,
    reading: undefined,
    model: undefined,
    modelsInBody: undefined,
    price: undefined,
    costNanoUsd: undefined,
    decision: undefined,
    trial: undefined,
    shadowed: undefined,
    refusal: undefined,
    limiterMs: undefined,
    waitedMs: undefined,
    reservedOutputTokens: undefined,
    chosen: undefined,
    attempt: undefined,
    givenUp: undefined,
    upstreamStatus: undefined,
    upstreamRequestId: undefined,
    upstreamStartedMs: undefined,
    firstByteMs: undefined,
    firstDataMs: undefined,
    usage: undefined,
    settlementMs: undefined,
    errorCode: undefined,
    cause: undefined,
  };
}
