import { GatewayError } from '@nexus/domain';
import {
  type AnswerFields,
  type AnswerHead,
  type AnswerReceiver,
  HttpClient,
  type HttpRequest,
  type Sending,
} from '@nexus/http-client';
import { type Meter, makeMeter } from '@nexus/tokens';
import type { Exchange } from '../path/exchange.ts';
import { answerHeaders, isFinalStatus, noteHead, plainReason, refusesOwnKey } from './answer-head.ts';
import { AnswerWriter } from './answer-writer.ts';
import type { Call } from './call.ts';
import { CostTelling } from './cost-told.ts';
import { isCoded } from './error-coding.ts';
import { CallEnded, Declined, upstreamFailure } from './failures.ts';
import { headersUpstream } from './headers.ts';
import { KeyRedaction } from './key-redaction.ts';
import { spliced } from './splice.ts';

/** How metered calls are sent. */
export interface MeteredOptions {
  readonly target: { readonly origin: string; readonly pathPrefix: string };
  readonly timeouts: { readonly connectMs: number; readonly firstByteMs: number };
  readonly onDisconnect: 'cancel' | 'drain';
  readonly askUsage: boolean;
}

/** Sends metered calls upstream as the very bytes that came, and gives the answers back as they come. */
export class MeteredUpstream {
  readonly #client: HttpClient;
  readonly #options: MeteredOptions;
  readonly #nowMs: () => number;

  constructor(options: MeteredOptions, nowMs: () => number) {
    this.#options = options;
    this.#nowMs = nowMs;
    const { target, timeouts } = options;
    // Heartbeat comments are no data: the idle limit is kept by whoever watches `lastDataMs`.
    this.#client = new HttpClient({
      origin: target.origin,
      connectMs: timeouts.connectMs,
      headMs: timeouts.firstByteMs,
    });
  }

  /** Sends the call. A connection that can't be made is tried once more; what was sent is never sent again. */
  send(exchange: Exchange): Call {
    const { reading, body, identity, req } = exchange;
    if (!reading || !body || !identity) throw new GatewayError('internal_error');
    const splice = this.#options.askUsage ? reading.askUsage : undefined;
    const request: HttpRequest = {
      method: 'POST',
      path: this.#options.target.pathPrefix + (req.url ?? '/'),
      fields: headersUpstream(req.rawHeaders, req.headers, identity, {
        metered: true,
        credential: exchange.attempt?.credential(exchange),
      }),
      body: splice ? spliced(body, splice) : body,
    };
    const call = new MeteredCall(exchange, this.#client, request, {
      hideUsage: splice !== undefined,
      onDisconnect: this.#options.onDisconnect,
      nowMs: this.#nowMs,
    });
    this.#client.send(request, call);
    return call;
  }

  close(): void {
    this.#client.close();
  }
}

/** A drained answer is read on for no longer than this. */
const LONGEST_DRAIN_MS = 600_000;

class MeteredCall implements AnswerReceiver, Call {
  readonly over: Promise<void>;
  meter: Meter | undefined;
  readonly #exchange: Exchange;
  readonly #client: HttpClient;
  readonly #request: HttpRequest;
  #isSecondTry = false;
  readonly #hideUsage: boolean;
  readonly #onDisconnect: 'cancel' | 'drain';
  readonly #nowMs: () => number;
  readonly #writer: AnswerWriter;
  #sending: Sending | undefined;
  #lastDataMs: number;
  #clientGone = false;
  #refusedKey = false;
  #cost: CostTelling | undefined;
  #redaction: KeyRedaction | undefined;
  #over = false;
  #drainLimit: NodeJS.Timeout | undefined;
  #resolve: () => void = () => {};
  #reject: (error: GatewayError | Declined) => void = () => {};
  readonly #onClose = () => this.#clientLeft();
  readonly #onDrain = () => this.#sending?.resume();

  constructor(
    exchange: Exchange,
    client: HttpClient,
    request: HttpRequest,
    options: {
      readonly hideUsage: boolean;
      readonly onDisconnect: 'cancel' | 'drain';
      readonly nowMs: () => number;
    },
  ) {
    this.#exchange = exchange;
    this.#client = client;
    this.#request = request;
    this.#hideUsage = options.hideUsage;
    this.#onDisconnect = options.onDisconnect;
    this.#nowMs = options.nowMs;
    this.#lastDataMs = this.#nowMs();
    this.#writer = new AnswerWriter(exchange.res, (error) => this.#invalid(error));
    this.over = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    exchange.res.once('close', this.#onClose);
    if (exchange.res.destroyed) this.#clientLeft();
  }

  lastDataMs(): number {
    return this.#lastDataMs;
  }

  stall(): void {
    if (this.#sending?.paused) return; // The client is slow, not the upstream.
    this.#sending?.abort(new CallEnded('idle'));
  }

  onSent(sending: Sending): void {
    if (this.#over) {
      sending.abort(new CallEnded('client left'));
      return;
    }
    this.#sending = sending;
    this.#exchange.sent = true;
    this.#exchange.upstreamStartedMs = this.#nowMs();
  }

  onHead(sending: Sending, { status, fields: given, reason }: AnswerHead): void {
    if (!isFinalStatus(status)) {
      sending.abort(new CallEnded('upstream invalid'));
      return;
    }
    const exchange = this.#exchange;
    const now = this.#nowMs();
    this.#lastDataMs = now;
    if (exchange.attempt?.heard(status, given)) {
      this.#finish(new Declined(status));
      sending.abort(new CallEnded('declined'));
      return;
    }
    const redaction = KeyRedaction.of(exchange, status);
    const fields = redaction ? given.without((_name, value) => redaction.isIn(value)) : given;
    noteHead(exchange, status, fields, now);
    if (refusesOwnKey(exchange, status)) {
      this.#refusedKey = true;
      return;
    }
    if (redaction && isCoded(fields)) {
      // It was asked not to be: nobody can say whether it quotes our key.
      sending.abort(new CallEnded('upstream invalid'));
      return;
    }
    this.#redaction = redaction;
    const cost = new CostTelling(exchange, fields);
    this.#cost = cost;
    const meter = this.#makeMeter(fields);
    this.meter = meter;
    const options = { altered: this.#hideUsage || cost.asComment };
    this.#writer.head(
      status,
      redaction?.isIn(reason) ? '' : plainReason(reason),
      answerHeaders(exchange, status, fields, Date.now(), options),
    );
  }

  #makeMeter(fields: AnswerFields): Meter {
    const { kind, reading, model } = this.#exchange;
    return makeMeter({
      kind: kind ?? 'other',
      contentType: fields.get('content-type'),
      contentEncoding: fields.joined('content-encoding'),
      model,
      inputTokens: reading?.inputTokens ?? 0,
      inputSource: reading?.inputSource ?? 'estimated',
      hideUsage: this.#hideUsage,
    });
  }

  onData(sending: Sending, chunk: Buffer): void {
    const { meter } = this;
    if (meter === undefined) return;
    const before = meter.dataEvents;
    const passed = meter.write(chunk);
    const forClient = passed && this.#redaction ? this.#redaction.write(passed) : passed;
    if (meter.dataEvents !== before) {
      this.#lastDataMs = this.#nowMs();
      this.#exchange.firstDataMs ??= this.#lastDataMs;
    }
    if (forClient === undefined || this.#clientGone) return;
    this.#cost?.sees(forClient);
    if (!this.#writer.chunk(forClient) && !sending.paused) {
      sending.pause();
      this.#exchange.res.once('drain', this.#onDrain);
    }
  }

  onEnd(): void {
    if (this.#refusedKey) {
      this.#finish(new GatewayError('upstream_refused_key'));
      return;
    }
    const rest = this.meter?.end();
    if (!this.#clientGone) {
      if (rest) {
        this.#cost?.sees(rest);
        this.#writer.chunk(this.#redaction?.write(rest) ?? rest);
      }
      if (this.#redaction) this.#writer.chunk(this.#redaction.end());
      this.#cost?.tell(this.#writer, this.meter?.usage());
      this.#writer.end();
    }
    this.#finish();
  }

  onFailed(error: Error): void {
    if (this.#over) return;
    const exchange = this.#exchange;
    if (!exchange.sent && !this.#clientGone && !this.#isSecondTry) {
      this.#isSecondTry = true;
      this.#client.send(this.#request, this);
      return;
    }
    exchange.cause = error;
    if (this.#refusedKey) {
      this.#finish(new GatewayError('upstream_refused_key', { cause: error }));
    } else if (this.#clientGone) {
      this.#finish();
    } else if (this.#writer.started) {
      exchange.ending = 'upstream broke';
      this.#writer.abandon();
      this.#finish();
    } else {
      this.#finish(upstreamFailure(error, exchange.sent));
    }
  }

  #invalid(error: unknown): void {
    if (this.#over) this.#exchange.res.destroy();
    this.#sending?.abort(new CallEnded('upstream invalid', { cause: error }));
    this.#finish(new GatewayError('upstream_invalid', { cause: error }));
  }

  #clientLeft(): void {
    if (this.#over || this.#exchange.res.writableFinished) return;
    this.#clientGone = true;
    this.#exchange.ending = 'client left';
    if (this.#onDisconnect === 'drain' && this.#exchange.sent) {
      this.#sending?.resume();
      this.#drainLimit = setTimeout(
        () => this.#sending?.abort(new CallEnded('client left')),
        LONGEST_DRAIN_MS,
      );
      this.#drainLimit.unref();
      return;
    }
    this.#finish();
    this.#sending?.abort(new CallEnded('client left'));
  }

  #finish(failure?: GatewayError | Declined): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#drainLimit);
    const { res } = this.#exchange;
    res.off('close', this.#onClose);
    res.off('drain', this.#onDrain);
    this.#exchange.bytesOut += this.#writer.bytes;
    if (failure) this.#reject(failure);
    else this.#resolve();
  }
}
