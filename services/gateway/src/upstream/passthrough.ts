import { type ClientRequest, Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import { GatewayError } from '@nexus/domain';
import { createProxyMiddleware, proxyEventsPlugin, type RequestHandler } from 'http-proxy-middleware';
import { askForBody, type Exchange } from '../path/exchange.ts';
import type { Call } from './call.ts';
import { headersUpstream } from './headers.ts';
import { Passage, type PassageTimeouts } from './passage.ts';

export interface PassthroughOptions {
  readonly target: { readonly origin: string; readonly pathPrefix: string };
  readonly timeouts: PassageTimeouts;
}

/**
 * Everything that passes unread: uploads, files, lists, unknown paths, WebSockets. Bodies stay streams both ways.
 * A usage in the JSON answer to a POST is read on its way.
 */
export class Passthrough {
  readonly #proxy: RequestHandler;
  readonly #agent: HttpAgent;
  readonly #timeouts: PassageTimeouts;
  readonly #nowMs: () => number;
  readonly #passages = new WeakMap<IncomingMessage, Passage>();

  constructor({ target, timeouts }: PassthroughOptions, nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#timeouts = timeouts;
    // The default agent stops at 256 sockets.
    const agent = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 256 };
    this.#agent = target.origin.startsWith('https:') ? new HttpsAgent(agent) : new HttpAgent(agent);
    this.#proxy = createProxyMiddleware({
      target: target.origin + target.pathPrefix,
      changeOrigin: true,
      agent: this.#agent,
      // The default plugins answer errors as plain text, into the middle of streams too.
      ejectPlugins: true,
      plugins: [proxyEventsPlugin],
      // The answer's head is checked before it is written; an invalid one would end the process.
      selfHandleResponse: true,
      on: {
        proxyReq: (call, req) => this.#onCall(call, req),
        proxyReqWs: (call, req, socket) => this.#onUpgrade(call, req, socket),
        proxyRes: (answer, req, res) => this.#passages.get(req)?.answered(answer, res),
        error: (error, req, client) => this.#passages.get(req)?.broke(error, client),
      },
    });
  }

  /** Passes a request on. */
  send(exchange: Exchange): Call {
    const { req, res } = exchange;
    const passage = new Passage(exchange, this.#timeouts, this.#nowMs);
    askForBody(exchange);
    this.#prepare(passage);
    const over = Promise.race([this.#proxy(req, res), passage.failed]).then((failure) => {
      if (failure) throw failure;
      if (exchange.ending === 'whole' && !res.writableFinished) exchange.ending = 'client left';
      if (exchange.ending === 'whole') passage.meter?.end();
    });
    return {
      over,
      get meter() {
        return passage.meter;
      },
      lastDataMs: () => passage.lastDataMs(),
      stall: () => passage.stall(),
    };
  }

  /**
   * Joins a client's WebSocket with the upstream's; resolves when either end is closed.
   * @param refuse answers the client in place of the upstream, at once: httpxy ends the socket right after
   */
  async join(
    exchange: Exchange,
    socket: Socket,
    head: Buffer,
    refuse: (error: GatewayError) => void,
  ): Promise<void> {
    const passage = new Passage(exchange, this.#timeouts, this.#nowMs, refuse);
    this.#prepare(passage);
    exchange.req.headers.connection = 'Upgrade';
    exchange.req.headers.upgrade = 'websocket';
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    this.#proxy.upgrade(exchange.req, socket, head);
    await Promise.race([closed, passage.failed]);
    exchange.bytesOut = socket.bytesWritten;
    exchange.bytesIn = socket.bytesRead;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Replaces the header fields that httpxy copies upstream. */
  #prepare(passage: Passage): void {
    const { req, identity } = passage.exchange;
    if (!identity) throw new GatewayError('internal_error');
    this.#passages.set(req, passage);
    const flat = headersUpstream(req.rawHeaders, req.headers, identity, {
      metered: false,
      credential: passage.exchange.attempt?.credential(passage.exchange),
    });
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
  }

  #onCall(call: ClientRequest, req: IncomingMessage): void {
    const passage = this.#passages.get(req);
    passage?.called(call);
    // Nobody asked for another protocol.
    call.once('upgrade', (_answer, socket) => {
      socket.destroy();
      passage?.fail(new GatewayError('upstream_invalid'));
    });
  }

  #onUpgrade(call: ClientRequest, req: IncomingMessage, socket: Socket): void {
    const passage = this.#passages.get(req);
    if (!passage) return;
    call.once('socket', () => passage.called(call));
    call.prependOnceListener('upgrade', (answer) => {
      const { attempt } = passage.exchange;
      if (passage.admits(answer) && attempt) answer.headers['x-nexus-upstream'] = attempt.upstream.name;
    });
    // httpxy gives any other answer to the client as it is, unless its socket has ended.
    call.prependOnceListener('response', (answer) => {
      if (!passage.admits(answer)) answer.destroy();
      else passage.redactPiped(answer);
    });
    socket.once('close', () => call.destroy());
  }
}
