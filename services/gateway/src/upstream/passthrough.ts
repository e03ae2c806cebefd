import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import { GatewayError } from '@nexus/domain';
import { type Meter, makeMeter } from '@nexus/tokens';
import { createProxyMiddleware, proxyEventsPlugin, type RequestHandler } from 'http-proxy-middleware';
import type { Exchange } from '../path/exchange.ts';
import { answerHeaders, isFinalStatus, plainReason } from './answer-head.ts';
import { upstreamFailure } from './failures.ts';
import { headersUpstream } from './headers.ts';

export interface PassthroughOptions {
  readonly target: { readonly origin: string; readonly pathPrefix: string };
  readonly timeouts: { readonly connectMs: number; readonly firstByteMs: number };
}

interface Passage {
  readonly exchange: Exchange;
  readonly failed: Promise<GatewayError>;
  readonly fail: (error: GatewayError) => void;
  meter?: Meter;
}

/**
 * Everything that passes unread: uploads, files, lists, unknown paths, WebSockets. Bodies stay streams both ways.
 * A usage in the JSON answer to a POST is read on its way.
 */
export class Passthrough {
  readonly #proxy: RequestHandler;
  readonly #agent: HttpAgent;
  readonly #connectMs: number;
  readonly #nowMs: () => number;
  readonly #passages = new WeakMap<IncomingMessage, Passage>();

  constructor(options: PassthroughOptions, nowMs: () => number) {
    const { target, timeouts } = options;
    this.#nowMs = nowMs;
    this.#connectMs = timeouts.connectMs;
    // The default agent stops at 256 sockets.
    const agent = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 256 };
    this.#agent = target.origin.startsWith('https:') ? new HttpsAgent(agent) : new HttpAgent(agent);
    this.#proxy = createProxyMiddleware({
      target: target.origin + target.pathPrefix,
      changeOrigin: true,
      agent: this.#agent,
      proxyTimeout: timeouts.firstByteMs,
      // The default plugins answer errors as plain text, into the middle of streams too.
      ejectPlugins: true,
      plugins: [proxyEventsPlugin],
      // The answer's head is checked before it is written; an invalid one would end the process.
      selfHandleResponse: true,
      on: {
        proxyReq: (call, req) => this.#onCall(call, req),
        proxyReqWs: (call, req) => this.#onCall(call, req),
        proxyRes: (answer, req, res) => this.#onAnswer(answer, req, res),
        error: (error, req, res) => this.#onError(error, req, res),
      },
    });
  }

  /**
   * Passes a request on; resolves when its answer is over, also if the client left or the upstream broke off.
   * @throws GatewayError if no answer began
   */
  async pass(exchange: Exchange): Promise<Meter | undefined> {
    const passage = this.#prepare(exchange);
    const { req, res } = exchange;
    const failure = await Promise.race([this.#proxy(req, res), passage.failed]);
    if (failure) throw failure;
    if (exchange.ending === 'whole' && !res.writableFinished) exchange.ending = 'client left';
    if (exchange.ending === 'whole') passage.meter?.end();
    return passage.meter;
  }

  /** Joins a client's WebSocket with the upstream's; resolves when either end is closed. */
  async join(exchange: Exchange, socket: Socket, head: Buffer): Promise<void> {
    const passage = this.#prepare(exchange);
    exchange.req.headers.connection = 'Upgrade';
    exchange.req.headers.upgrade = 'websocket';
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    this.#proxy.upgrade(exchange.req, socket, head);
    const failure = await Promise.race([closed, passage.failed]);
    exchange.bytesOut = socket.bytesWritten;
    exchange.bytesIn = socket.bytesRead;
    if (failure) throw failure;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Replaces the header fields that httpxy copies upstream. */
  #prepare(exchange: Exchange): Passage {
    const { req, identity } = exchange;
    if (!identity) throw new GatewayError('internal_error');
    let fail: Passage['fail'] = () => {};
    const failed = new Promise<GatewayError>((resolve) => {
      fail = resolve;
    });
    const passage: Passage = { exchange, failed, fail };
    this.#passages.set(req, passage);
    const flat = headersUpstream(req.rawHeaders, req.headers, identity, { metered: false });
    const length = req.headers['content-length'];
    const chunked = req.headers['transfer-encoding'] !== undefined;
    req.headers = {};
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i]?.toLowerCase() ?? '';
      const value = flat[i + 1] ?? '';
      const before = req.headers[name];
      const values = before === undefined ? value : [before, value].flat();
      Object.defineProperty(req.headers, name, {
        value: values,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    if (length !== undefined) req.headers['content-length'] = length;
    if (chunked) req.headers['transfer-encoding'] = 'chunked';
    return passage;
  }

  #onCall(call: ClientRequest, req: IncomingMessage): void {
    const passage = this.#passages.get(req);
    // Not before: from the first listener on, the body flows, and httpxy begins to read it only now.
    req.on('data', (chunk: Buffer) => {
      if (passage) passage.exchange.bytesIn += chunk.length;
    });
    const socket = call.socket;
    const connected = () => {
      if (!passage) return;
      passage.exchange.sent = true;
      passage.exchange.upstreamStartedMs = this.#nowMs();
    };
    if (!socket?.connecting) {
      connected();
      return;
    }
    const tooLong = setTimeout(() => call.destroy(new Error('connect timed out')), this.#connectMs);
    const ready = socket instanceof Object && 'encrypted' in socket ? 'secureConnect' : 'connect';
    socket.once(ready, connected);
    socket.once(ready, () => clearTimeout(tooLong));
    socket.once('close', () => clearTimeout(tooLong));
  }

  #onAnswer(answer: IncomingMessage, req: IncomingMessage, res: ServerResponse): void {
    const passage = this.#passages.get(req);
    if (!passage) return;
    const { exchange } = passage;
    const status = answer.statusCode ?? 0;
    const refusedKey =
      (status === 401 || status === 403) && exchange.identity?.principal.upstreamKey !== undefined;
    if (!isFinalStatus(status) || refusedKey) {
      answer.resume();
      passage.fail(new GatewayError(refusedKey ? 'upstream_refused_key' : 'upstream_invalid'));
      return;
    }
    exchange.upstreamStatus = status;
    exchange.firstByteMs = this.#nowMs() - exchange.startedMs;
    const id = answer.headers['x-request-id'];
    if (typeof id === 'string') exchange.upstreamRequestId = id;
    try {
      const headers = answerHeaders(exchange, status, answer.headers, Date.now(), { altered: false });
      res.writeHead(status, plainReason(answer.statusMessage), headers);
    } catch (error) {
      answer.resume();
      passage.fail(new GatewayError('upstream_invalid', { cause: error }));
      return;
    }
    this.#watch(passage, answer);
    answer.pipe(res);
  }

  #watch(passage: Passage, answer: IncomingMessage): void {
    const { exchange } = passage;
    const contentType = answer.headers['content-type'];
    if (exchange.method === 'POST') {
      passage.meter = makeMeter({
        kind: 'other',
        contentType,
        contentEncoding: answer.headers['content-encoding'],
        model: undefined,
        inputTokens: 0,
        inputSource: 'estimated',
        hideUsage: false,
      });
    }
    answer.on('data', (chunk: Buffer) => {
      exchange.bytesOut += chunk.length;
      passage.meter?.write(chunk);
    });
    answer.once('error', (error) => {
      exchange.ending = 'upstream broke';
      exchange.cause = error;
    });
    answer.once('close', () => {
      if (!answer.complete && !exchange.res.destroyed) exchange.ending = 'upstream broke';
    });
  }

  #onError(error: Error, req: IncomingMessage, res: ServerResponse | Socket): void {
    const passage = this.#passages.get(req);
    if (!passage) return;
    const { exchange } = passage;
    exchange.cause = error;
    if (exchange.upstreamStatus === undefined) {
      passage.fail(upstreamFailure(error, exchange.sent));
    } else {
      exchange.ending = 'upstream broke';
      res.destroy();
    }
  }
}
