import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Customer, Decision, ErrorCode, Usage } from '@nexus/domain';
import type { GivenUp } from '@nexus/observe';
import type { Price } from '@nexus/prices';
import type { CallKind, CallReading } from '@nexus/tokens';
import type { RefusalReply } from '../reply/refusal.ts';
import type { Attempt } from '../upstream/attempt.ts';
import type { NamedUpstream } from '../upstream/named-upstream.ts';
import type { UploadKind } from './door.ts';
import type { Identity } from './identify.ts';
import type { ModelsInBody } from './models-in-body.ts';
import type { Charged } from './owners.ts';
import type { ShadowTrial } from './shadow.ts';

/** Whose conventions the client expects in errors and headers. */
export type Dialect = 'openai' | 'anthropic';

/** How a request ended, seen from the client. */
export type Ending =
  /** The client has the whole answer, ours or the upstream's. */
  | 'whole'
  /** The client went before it had the whole answer. */
  | 'client left'
  /** The upstream broke off in the middle of its answer: the client saw a visibly broken one. */
  | 'upstream broke';

/**
 * A request with its answer, from its arrival to its record. The read-only part is known on arrival; each step of the
 * path adds what it learned, and `record` reads it all.
 */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Ours, unique, never the client's: names the reservation. */
  readonly id: string;
  /** What the client and the log see: the client's own `x-request-id` if it sent a plain one, else `id`. */
  readonly requestId: string;
  readonly clientNamedIt: boolean;
  readonly method: string;
  /** The raw path without its query. */
  readonly path: string;
  readonly dialect: Dialect;
  /** What kind of metered call this is; undefined: it passes unread. */
  readonly kind: CallKind | undefined;
  /** What an unread call makes of its upload. */
  readonly upload: UploadKind | undefined;
  readonly startedMs: number;
  /** The client's address, as far as it can be believed. */
  readonly client: string | undefined;

  identity?: Identity | undefined;
  customer?: Customer | undefined;
  feature?: string | undefined;
  /** The whole body of a metered call, as it came. */
  body?: Uint8Array | undefined;
  reading?: CallReading | undefined;
  /** The model that it asks for, as far as Nexus learns of it: by its URL, its body as it is read, or what its body names on its way. */
  model?: string | undefined;
  /** Finds the model in a body that isn't read; absent: there is no body, or nobody asks. */
  modelsInBody?: ModelsInBody | undefined;
  /** What its model costs; absent: not known, and nothing is charged for it. */
  price?: Price | undefined;
  costNanoUsd?: number | undefined;
  decision?: Decision | undefined;
  /** Limits that are only tried. */
  trial?: ShadowTrial | undefined;
  /** Those of them that would have refused it. */
  shadowed?: readonly string[] | undefined;
  /** The reply of a limit that refused. */
  refusal?: RefusalReply | undefined;
  limiterMs?: number | undefined;
  /** How long it waited for its turn. */
  waitedMs?: number | undefined;
  /** Output tokens held for the answer. */
  reservedOutputTokens?: number | undefined;
  /** Where it is to go; absent: there is one upstream alone. */
  chosen?: NamedUpstream | undefined;
  /** Its last sending, where there are several upstreams. */
  attempt?: Attempt | undefined;
  /** The sendings before that one. */
  givenUp?: GivenUp[] | undefined;
  /** True once the request was handed to a connected upstream socket: from then on it may have been worked on. */
  sent: boolean;
  /** True once the client was asked for its body, where it waits to be asked (`Expect: 100-continue`). */
  bodyAsked: boolean;
  upstreamStatus?: number | undefined;
  upstreamRequestId?: string | undefined;
  upstreamStartedMs?: number | undefined;
  firstByteMs?: number | undefined;
  /** When the first event of the answer came, by the path's clock. */
  firstDataMs?: number | undefined;
  usage?: Usage | undefined;
  /** From the answer's end until its usage was settled. */
  settlementMs?: number | undefined;
  ending: Ending;
  errorCode?: ErrorCode | undefined;
  /** What failed inside, for the log. */
  cause?: unknown;
  bytesIn: number;
  bytesOut: number;
}

/** Whom and what the request is charged to. */
export function chargedTo({ identity, customer, feature, model }: Exchange): Charged {
  const principal = identity?.principal;
  return { key: principal?.limits, team: principal?.team, customer, feature, model };
}

/** Whether the body is compressed, or else coded, so that nothing in it can be read. */
export function isCoded({ req }: Pick<Exchange, 'req'>): boolean {
  const coding = req.headers['content-encoding'];
  return coding !== undefined && coding.toLowerCase() !== 'identity';
}

/** Whether a request asks to become a WebSocket. */
export function asksWebSocket({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** Whether the client waits to be asked before it sends its body (RFC 9110 §10.1.1). */
export function waitsToBeAsked({ req }: Exchange): boolean {
  return req.headers.expect?.toLowerCase() === '100-continue';
}

/** Asks the client for its body, if it waits for that. */
export function askForBody(exchange: Exchange): void {
  if (waitsToBeAsked(exchange)) exchange.res.writeContinue();
  exchange.bodyAsked = true;
}
