import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Transform } from 'node:stream';
import { GatewayError } from '@nexus/domain';
import { AnswerFields } from '@nexus/http-client';
import { type Meter, makeMeter } from '@nexus/tokens';
import type { Exchange } from '../path/exchange.ts';
import { answerHeaders, isFinalStatus, noteHead, plainReason, refusesOwnKey } from './answer-head.ts';
import { decoderFor, isCoded } from './error-coding.ts';
import { upstreamFailure } from './failures.ts';
import { KeyRedaction } from './key-redaction.ts';

/** How long a passage may take to connect, and to its answer's first byte without a sign of life. */
export interface PassageTimeouts {
  readonly connectMs: number;
  readonly firstByteMs: number;
}

/** An error that is decoded on its way may be no larger: a few bytes can stand for many. */
const LARGEST_DECODED_BYTES = 16 * 1024 * 1024;

/** One request that passes unread, or a WebSocket on its way to be joined. */
export class Passage {
  readonly exchange: Exchange;
  /** Resolves with what kept the answer from beginning. */
  readonly failed: Promise<GatewayError>;
  meter: Meter | undefined;
  readonly #timeouts: PassageTimeouts;
  readonly #nowMs: () => number;
  readonly #onFailure: (error: GatewayError) => void;
  #resolve: (error: GatewayError) => void = () => {};
  #call: ClientRequest | undefined;
  #answer: IncomingMessage | undefined;
  #lastDataMs: number;
  #timer: NodeJS.Timeout | undefined;
  #isFailed = false;
  #redaction: KeyRedaction | undefined;

  /** @param onFailure told at once, before `failed` resolves */
  constructor(
    exchange: Exchange,
    timeouts: PassageTimeouts,
    nowMs: () => number,
    onFailure: (error: GatewayError) => void = () => {},
  ) {
    this.exchange = exchange;
    this.#timeouts = timeouts;
    this.#nowMs = nowMs;
    this.#onFailure = onFailure;
    this.#lastDataMs = nowMs();
    this.failed = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  lastDataMs(): number {
    return this.#lastDataMs;
  }

  /** Breaks the answer off because the upstream has sent nothing for too long; a slow client is not its fault. */
  stall(): void {
    const { exchange } = this;
    if (this.#answer === undefined || exchange.res.writableNeedDrain) return;
    exchange.ending = 'upstream broke';
    exchange.res.destroy();
    this.#call?.destroy();
  }

  fail(error: GatewayError): void {
    if (this.#isFailed) return;
    this.#isFailed = true;
    clearTimeout(this.#timer);
    this.#onFailure(error);
    this.#resolve(error);
  }

  /** Watches the call upstream from its socket on. */
  called(call: ClientRequest): void {
    this.#call = call;
    const { req } = this.exchange;
    // Not before: from the first listener on, the body flows, and httpxy begins to read it only now.
    req.on('data', (chunk: Buffer) => {
      this.exchange.bytesIn += chunk.length;
      this.#lastDataMs = this.#nowMs();
      this.#withdrawIf(this.exchange.modelsInBody?.take(chunk));
    });
    req.once('end', () => this.#withdrawIf(this.exchange.modelsInBody?.end()));
    call.once('close', () => {
      clearTimeout(this.#timer);
      if (this.exchange.upstreamStatus === undefined)
        this.fail(upstreamFailure(undefined, this.exchange.sent));
    });
    const { socket } = call;
    if (!socket?.connecting) {
      this.#connected();
      return;
    }
    this.#timer = setTimeout(() => call.destroy(new Error('connect timed out')), this.#timeouts.connectMs);
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => this.#connected());
  }

  /** Takes back a request whose body may not pass, before the upstream has the whole of it. */
  #withdrawIf(refused: GatewayError | undefined): void {
    if (refused === undefined || this.#isFailed) return;
    const { exchange } = this;
    exchange.req.unpipe();
    if (exchange.upstreamStatus === undefined) {
      this.fail(refused);
      exchange.sent = false;
    } else {
      // It is answered already: what the answer has used is owed.
      exchange.errorCode = refused.code;
      exchange.ending = 'client left';
      exchange.res.destroy();
    }
    this.#call?.destroy();
    // What the client still sends is for nobody.
    exchange.req.resume();
  }

  #connected(): void {
    const now = this.#nowMs();
    this.exchange.sent = true;
    this.exchange.upstreamStartedMs = now;
    this.#lastDataMs = now;
    this.#awaitFirstByte();
  }

  #awaitFirstByte(): void {
    clearTimeout(this.#timer);
    const quietMs = this.#nowMs() - this.#lastDataMs;
    const leftMs = this.#timeouts.firstByteMs - quietMs;
    if (leftMs > 0) {
      this.#timer = setTimeout(() => this.#awaitFirstByte(), Math.ceil(leftMs));
      return;
    }
    this.fail(new GatewayError('upstream_timeout'));
    this.#call?.destroy();
  }

  /** The upstream answers. An answer that can't be given back as it is ends the passage in our own words. */
  answered(answer: IncomingMessage, res: ServerResponse): void {
    if (this.#isFailed || !this.admits(answer)) {
      answer.destroy();
      return;
    }
    const { exchange } = this;
    const status = answer.statusCode ?? 0;
    const hasBody = exchange.method !== 'HEAD' && status !== 304;
    const redaction = hasBody ? this.#redaction : undefined;
    let decoder: Transform | undefined;
    try {
      const fields = this.#fieldsOf(answer);
      decoder = redaction && decoderFor(fields);
      const given = decoder ? fields.without((name) => name === 'content-encoding') : fields;
      const headers = answerHeaders(exchange, status, given, Date.now(), { altered: decoder !== undefined });
      res.writeHead(status, plainReason(answer.statusMessage), headers);
    } catch (error) {
      this.fail(
        error instanceof GatewayError ? error : new GatewayError('upstream_invalid', { cause: error }),
      );
      answer.destroy();
      return;
    }
    this.#watch(answer);
    const decoded = decoder ? answer.pipe(this.#breaking(decoder, res)) : answer;
    (redaction ? decoded.pipe(redaction.asStream()) : decoded).pipe(res);
  }

  /** Breaks the answer off where the decoder can't read it, or finds no end. */
  #breaking(decoder: Transform, res: ServerResponse): Transform {
    let bytes = 0;
    decoder.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > LARGEST_DECODED_BYTES) decoder.destroy(new Error('an error of no end'));
    });
    decoder.once('error', (error) => {
      this.exchange.ending = 'upstream broke';
      this.exchange.cause = error;
      this.#call?.destroy();
      res.destroy();
    });
    return decoder;
  }

  /** Notes the head of an answer; false, and the passage has failed, if it may not be given back. */
  admits(answer: IncomingMessage): boolean {
    const { exchange } = this;
    const status = answer.statusCode ?? 0;
    const isValid = isFinalStatus(status) || status === 101;
    if (isValid) exchange.attempt?.heard(status, AnswerFields.of(answer.rawHeaders));
    const refusedKey = refusesOwnKey(exchange, status);
    if (refusedKey || !isValid) {
      this.fail(new GatewayError(refusedKey ? 'upstream_refused_key' : 'upstream_invalid'));
      return false;
    }
    clearTimeout(this.#timer);
    this.#redaction = KeyRedaction.of(exchange, status);
    if (this.#redaction) hideIn(answer, this.#redaction);
    noteHead(exchange, status, this.#fieldsOf(answer), this.#nowMs());
    return true;
  }

  /** The fields of an answer that the client may see. */
  #fieldsOf(answer: IncomingMessage): AnswerFields {
    const fields = AnswerFields.of(answer.rawHeaders);
    const redaction = this.#redaction;
    return redaction ? fields.without((_name, value) => redaction.isIn(value)) : fields;
  }

  /** Hides our key in the body of an admitted answer that httpxy pipes to the client; fails where nobody can say what it holds. */
  redactPiped(answer: IncomingMessage): void {
    if (this.#redaction === undefined) return;
    if (isCoded(this.#fieldsOf(answer))) {
      this.fail(new GatewayError('upstream_invalid'));
      answer.destroy();
      return;
    }
    const redacted = answer.pipe(this.#redaction.asStream());
    answer.pipe = (to, options) => redacted.pipe(to, options);
  }

  #watch(answer: IncomingMessage): void {
    const { exchange } = this;
    this.#answer = answer;
    this.#lastDataMs = this.#nowMs();
    if (exchange.method === 'POST') this.meter = meterOf(answer, exchange.upload === 'image');
    answer.on('data', (chunk: Buffer) => {
      exchange.bytesOut += chunk.length;
      this.#lastDataMs = this.#nowMs();
      this.meter?.write(chunk);
    });
    answer.once('error', (error) => {
      exchange.ending = 'upstream broke';
      exchange.cause = error;
    });
    answer.once('close', () => {
      if (!answer.complete && !exchange.res.destroyed) exchange.ending = 'upstream broke';
    });
  }

  /** The call broke: before its answer the passage fails, in its midst the answer breaks. */
  broke(error: Error, client: { destroy(): unknown }): void {
    const { exchange } = this;
    if (this.#isFailed) return;
    exchange.cause = error;
    if (exchange.upstreamStatus === undefined) this.fail(upstreamFailure(error, exchange.sent));
    else {
      exchange.ending = 'upstream broke';
      client.destroy();
    }
  }
}

/** Takes out of an answer's head what quotes our key, where httpxy writes that head itself. */
function hideIn(answer: IncomingMessage, redaction: KeyRedaction): void {
  const { headers } = answer;
  for (const name of Object.keys(headers)) if (redaction.isIn(headers[name])) delete headers[name];
  if (redaction.isIn(answer.statusMessage)) answer.statusMessage = '';
}

/** Reads a usage where the answer to an unread POST has one. */
function meterOf(answer: IncomingMessage, isOfImages: boolean): Meter {
  return makeMeter({
    kind: isOfImages ? 'image' : 'other',
    contentType: answer.headers['content-type'],
    contentEncoding: answer.headers['content-encoding'],
    model: undefined,
    inputTokens: 0,
    inputSource: 'estimated',
    hideUsage: false,
  });
}
