import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AnswerBody } from './answer-body.ts';
import type { AnswerHead, AnswerHeads } from './answer-head.ts';
import { type Call, thrown } from './call.ts';
import { ClientError } from './client-error.ts';
import { LONGEST_TIMER_MS } from './deadlines.ts';

/** Where connections lead. */
export interface Target {
  readonly isTls: boolean;
  readonly host: string;
  readonly port: number;
  readonly connectMs: number;
}

/** Whoever keeps a connection. */
export interface Keeper {
  readonly target: Target;
  /** Reads its server's heads. */
  readonly heads: AnswerHeads;
  /** The last session with the server: another handshake is shorter with it. */
  tlsSession: Buffer | undefined;
  /** An answer's head is waited for. */
  awaitsHead(connection: Connection): void;
  /** No longer. */
  hasHead(connection: Connection): void;
  /** Another request may go out on it, for as long as it is usable. */
  isIdle(connection: Connection): void;
  /** It is of no more use. */
  isGone(connection: Connection): void;
}

/** More than any server sends. */
const MOST_HEAD_BYTES = 64 * 1024;
const TCP_KEEP_ALIVE_MS = 60_000;

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const NOTHING = Buffer.alloc(0);

/** All sockets are read into this: what came is copied before another one is read. */
const readBuffer = Buffer.allocUnsafe(64 * 1024);

/** One connection to the server: carries one call after another, never two at once. */
export class Connection {
  readonly #keeper: Keeper;
  readonly #socket: Socket;
  #connectTimer: NodeJS.Timeout | undefined;
  /** The call that waits for the connection, or is under way on it. */
  #call: Call | undefined;
  #isConnected = false;
  /** What came of a head so far. */
  #headBytes: Buffer = NOTHING;
  #head: AnswerHead | undefined;
  #body: AnswerBody | undefined;
  #error: Error | undefined;
  /** Until when it may be used again, on the clock of `performance`. */
  #idleUntilMs = 0;

  /** Connects, and then sends the call. */
  constructor(keeper: Keeper, call: Call) {
    this.#keeper = keeper;
    this.#call = call;
    const { target } = keeper;
    this.#socket = this.#connect(target);
    this.#socket.once(target.isTls ? 'secureConnect' : 'connect', () => this.#connected());
    this.#socket.once('end', () => this.#ended());
    this.#socket.on('error', (error: Error) => {
      this.#error ??= error;
    });
    this.#socket.once('close', () => this.#closed());
    // After a turn that was long the timers come first: a connection that was made meanwhile isn't late.
    const timeOut = () => setImmediate(() => this.#connectTimedOut());
    this.#connectTimer = setTimeout(timeOut, Math.min(target.connectMs, LONGEST_TIMER_MS));
  }

  #connect({ isTls, host, port }: Target): Socket {
    const callback = (bytes: number) => {
      this.#read(Buffer.from(readBuffer.subarray(0, bytes)));
      return true;
    };
    const options = {
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
      onread: { buffer: readBuffer, callback },
    };
    if (!isTls) return connectTcp(options);
    const session = this.#keeper.tlsSession;
    const socket = connectTls({
      ...options,
      servername: isIP(host) === 0 ? host : '',
      ALPNProtocols: ['http/1.1'],
      ...(session && { session }),
    });
    socket.on('session', (given: Buffer) => {
      this.#keeper.tlsSession = given;
    });
    return socket;
  }

  #connected(): void {
    clearTimeout(this.#connectTimer);
    this.#isConnected = true;
    this.#idleUntilMs = idleUntilMs(undefined);
    const call = this.#call;
    this.#call = undefined;
    if (call === undefined || call.isOver) this.#keeper.isIdle(this);
    else this.carry(call);
  }

  #connectTimedOut(): void {
    if (this.#isConnected || this.#socket.destroyed) return;
    this.#error = new ClientError(
      'connect_timeout',
      `No connection within ${this.#keeper.target.connectMs} ms.`,
    );
    this.#socket.destroy();
  }

  /** Sends a call. It must be idle. */
  carry(call: Call): void {
    if (!call.goesOutOn(this)) {
      this.#keeper.isIdle(this);
      return;
    }
    this.#call = call;
    if (call.paused) this.pause();
    this.#keeper.awaitsHead(this);
    const pieces = call.bytes();
    if (pieces.length > 1) this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    if (pieces.length > 1) this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Whether another call may go out on it. */
  isUsable(nowMs: number): boolean {
    return this.#socket.writable && this.#idleUntilMs > nowMs;
  }

  /** Ends it at once; the call on it must be over. */
  drop(): void {
    this.#call = undefined;
    this.#keeper.hasHead(this);
    this.#socket.destroy();
  }

  /** Ends it with the call on it. */
  fail(error: Error): void {
    const call = this.#call;
    this.drop();
    call?.fail(error);
  }

  /** No head has come in time. */
  timeIsUp(): void {
    this.fail(new ClientError('head_timeout', 'No answer has begun in time.'));
  }

  #read(bytes: Buffer): void {
    let rest = bytes;
    try {
      while (rest.length > 0) {
        const call = this.#call;
        // What nobody asked for can't be the beginning of an answer to come.
        if (call === undefined) {
          this.drop();
          return;
        }
        rest = this.#body === undefined ? this.#takeHead(call, rest) : this.#takeBody(call, this.#body, rest);
      }
    } catch (error) {
      this.fail(thrown(error));
    }
  }

  /** @returns what came behind it */
  #takeHead(call: Call, bytes: Buffer): Buffer {
    const all = this.#headBytes.length === 0 ? bytes : Buffer.concat([this.#headBytes, bytes]);
    const end = all.indexOf(END_OF_HEAD, Math.max(0, this.#headBytes.length - 3));
    if (end < 0) return this.#waitForHead(all);
    this.#headBytes = NOTHING;
    const head = end > MOST_HEAD_BYTES ? undefined : this.#keeper.heads.read(all, end);
    // Nobody asked to change the protocol.
    if (head === undefined || head.status === 101) return this.#invalid();
    const rest = all.subarray(end + END_OF_HEAD.length);
    if (head.status >= 100 && head.status < 200) return rest;
    this.#keeper.hasHead(this);
    this.#head = head;
    this.#body = new AnswerBody(head.framing);
    call.receiver.onHead(call, head);
    if (call.isOver) return NOTHING;
    if (this.#body.isOver) this.#finish(call, head, rest.length === 0);
    return rest;
  }

  /** @returns nothing: all of it is the beginning of a head */
  #waitForHead(bytes: Buffer): Buffer {
    const isTooMuch = bytes.length > MOST_HEAD_BYTES;
    if (isTooMuch || !mayBecomeHead(bytes.toString('latin1'))) return this.#invalid();
    this.#headBytes = bytes;
    return NOTHING;
  }

  /** @returns what came behind it */
  #takeBody(call: Call, body: AnswerBody, bytes: Buffer): Buffer {
    const taken = body.take(bytes, (data) => {
      if (!call.isOver) call.receiver.onData(call, data);
    });
    if (call.isOver) return NOTHING;
    if (taken < 0) return this.#invalid();
    const rest = bytes.subarray(taken);
    if (body.isOver && this.#head) this.#finish(call, this.#head, rest.length === 0);
    return rest;
  }

  #invalid(): Buffer {
    this.fail(new ClientError('invalid_answer', 'What the server sent is no answer in HTTP/1.1.'));
    return NOTHING;
  }

  #finish(call: Call, { keepsAlive, idleSeconds }: AnswerHead, isAll: boolean): void {
    this.#call = undefined;
    this.#head = undefined;
    this.#body = undefined;
    // An answer that came before the whole request was sent leaves the rest of it in the way.
    const isClear = isAll && this.#socket.writableLength === 0;
    if (call.paused) this.#socket.resume();
    this.#idleUntilMs = idleUntilMs(idleSeconds);
    if (keepsAlive && isClear) this.#keeper.isIdle(this);
    else this.drop();
    call.end();
  }

  #ended(): void {
    const call = this.#call;
    const head = this.#head;
    if (call && head?.framing.by === 'close') this.#finish(call, head, true);
    else this.#socket.destroy();
  }

  #closed(): void {
    clearTimeout(this.#connectTimer);
    this.#keeper.isGone(this);
    const what = this.#isConnected
      ? 'The server ended the connection before its answer was whole.'
      : 'No connection.';
    this.fail(this.#error ?? new ClientError('broken_off', what));
  }
}

/** A connection stays open for so long without a call where the server doesn't say how long it keeps it. */
const IDLE_MS = 4_000;
/** And for so much less where it does: what is sent as the server closes is lost. */
const SPARE_MS = 1_000;
const LONGEST_IDLE_MS = 600_000;

function idleUntilMs(saidSeconds: number | undefined): number {
  const idleMs = saidSeconds === undefined ? IDLE_MS : saidSeconds * 1_000 - SPARE_MS;
  return performance.now() + Math.min(idleMs, LONGEST_IDLE_MS);
}

/** Whether the beginning of something can be the beginning of a head. */
function mayBecomeHead(text: string): boolean {
  return 'HTTP/1.'.startsWith(text.slice(0, 7)) && !/(?<!\r)\n/.test(text);
}
