import { Writable } from 'node:stream';
import { createLogger, type Logger } from 'winston';
import { entryJson, errorOf, type LogFields } from './entry-json.ts';
import { errorKind } from './error-json.ts';
import { FloodGate, type Suppressed } from './flood-gate.ts';
import { isoTime } from './json-text.ts';
import { LineBuffer } from './line-buffer.ts';
import { LEVEL_ORDER, type LogLevel } from './log-level.ts';
import { StreamTarget, stdoutTarget } from './output-target.ts';
import { floodReason, type RequestLine, requestLevel, requestLineJson } from './request-line.ts';

/**
 * The log: one JSON object a line. Nothing it is given makes it throw, block or grow without bound; what it can't
 * write it drops and counts.
 */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields & { readonly error?: unknown }): void;
  /** `error` is whatever was thrown. Of it only class, code, message, stack and causes are written. */
  error(message: string, fields?: LogFields & { readonly error?: unknown }): void;
  /** The line of one request, at its end. */
  request(line: RequestLine): void;
  /** Resolves when every line so far was written or dropped; where nothing can be written, after two seconds. */
  flush(): Promise<void>;
  /** Flushes and ends. Lines that come later are dropped. */
  close(): Promise<void>;
  /** Graver lines are written from now on, and those of this level. */
  setLevel(level: LogLevel): void;
  /** Lines that could not be written, ever. Lines left out of a flood are not among them: the log itself tells of those. */
  dropped(): number;
}

export interface LogOptions {
  /** Graver levels are written, this one included. */
  readonly level: LogLevel;
  /** A stream, or a function that gets each line with its newline at once. Default: standard output. */
  readonly write?: ((line: string) => void) | NodeJS.WritableStream;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly clock?: () => number;
}

/** What goes through winston: an object of a level, whose line its format writes under winston's symbol for it. */
const LEVEL = Symbol.for('level');
const LINE = Symbol.for('message');

interface Info {
  readonly level: LogLevel;
  readonly message: string;
  readonly [LEVEL]: LogLevel;
  readonly [LINE]: string;
}

function isInfo(chunk: unknown): chunk is Info {
  return typeof chunk === 'object' && chunk !== null && LINE in chunk && typeof chunk[LINE] === 'string';
}

/** Winston's end of the line: hands on the finished text. */
function lineTransport(take: (line: string) => void): Writable & { log(): void } {
  const transport = new Writable({
    objectMode: true,
    write(chunk: unknown, _encoding, done) {
      if (isInfo(chunk)) take(chunk[LINE]);
      done();
    },
  });
  // Winston takes a stream for a transport of today by its `log` of fewer than three arguments; it calls only `write`.
  return Object.assign(transport, { log() {} });
}

/** Where finished lines go. */
interface Sink {
  push(line: string): void;
  flush(): Promise<void>;
  close(): Promise<void>;
  readonly dropped: number;
}

class FunctionSink implements Sink {
  readonly #write: (line: string) => void;
  #isClosed = false;
  dropped = 0;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  push(line: string): void {
    try {
      if (this.#isClosed) this.dropped += 1;
      else this.#write(line);
    } catch {
      this.dropped += 1;
    }
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {
    this.#isClosed = true;
  }
}

/** While lines are left out, how often it is looked for pairs that have become quiet. */
const SWEEP_EVERY_MS = 1_000;
const NO_FIELDS: LogFields = Object.freeze({});

class WinstonLog implements Log {
  readonly #logger: Logger;
  readonly #sink: Sink;
  readonly #clock: () => number;
  #isWritten: Readonly<Record<LogLevel, boolean>>;
  readonly #gate = new FloodGate();
  #sweeper: NodeJS.Timeout | undefined;
  #isClosing = false;
  #isClosed = false;

  constructor(logger: Logger, sink: Sink, clock: () => number) {
    this.#logger = logger;
    this.#sink = sink;
    this.#clock = clock;
    this.#isWritten = writtenBy(logger);
  }

  setLevel(level: LogLevel): void {
    this.#logger.level = level;
    this.#isWritten = writtenBy(this.#logger);
  }

  debug(message: string, fields?: LogFields): void {
    if (this.#isWritten.debug) this.#entry('debug', message, fields ?? NO_FIELDS);
  }

  info(message: string, fields?: LogFields): void {
    if (this.#isWritten.info) this.#entry('info', message, fields ?? NO_FIELDS);
  }

  warn(message: string, fields?: LogFields): void {
    if (this.#isWritten.warn) this.#entry('warn', message, fields ?? NO_FIELDS);
  }

  error(message: string, fields?: LogFields): void {
    if (this.#isWritten.error) this.#entry('error', message, fields ?? NO_FIELDS);
  }

  request(line: RequestLine): void {
    try {
      const level = requestLevel(line);
      if (!this.#isWritten[level]) return;
      const nowMs = this.#clock();
      const reason = floodReason(line);
      const suppressed = reason === undefined ? 0 : this.#pass(line.keyId, reason, nowMs);
      if (suppressed === undefined) return;
      // Past winston, which would take 4 µs to hand on the finished text.
      this.#sink.push(requestLineJson(line, level, nowMs, suppressed));
    } catch (error) {
      this.#entry('error', 'log line could not be made', { error });
    }
  }

  flush(): Promise<void> {
    return this.#sink.flush();
  }

  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    clearInterval(this.#sweeper);
    this.#tell(this.#gate.end());
    await this.#sink.close();
    this.#isClosed = true;
    this.#logger.close();
  }

  dropped(): number {
    return this.#sink.dropped;
  }

  #entry(level: LogLevel, message: string, fields: LogFields): void {
    const nowMs = this.#clock();
    // Only what carries an error can come with every request; the rest are sentences of start, change and end.
    const error = errorOf(fields);
    const suppressed =
      error === undefined ? 0 : this.#pass(undefined, `${message}: ${errorKind(error)}`, nowMs);
    if (suppressed === undefined) return;
    this.#write(level, message, entryJson(level, message, fields, nowMs, suppressed));
  }

  #write(level: LogLevel, message: string, line: string): void {
    const info: Info = { level, message, [LEVEL]: level, [LINE]: line };
    // A closed winston prints what it gets on standard error; the closed sink only counts it.
    if (this.#isClosed) this.#sink.push(line);
    else this.#logger.write(info);
  }

  #pass(keyId: string | undefined, reason: string, nowMs: number): number | undefined {
    const suppressed = this.#gate.pass(keyId, reason, nowMs);
    if (suppressed === undefined && this.#sweeper === undefined && !this.#isClosing) {
      this.#sweeper = setInterval(() => this.#sweep(), SWEEP_EVERY_MS);
      this.#sweeper.unref();
    }
    return suppressed;
  }

  #sweep(): void {
    this.#tell(this.#gate.sweep(this.#clock()));
    if (this.#gate.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #tell(leftOut: readonly Suppressed[]): void {
    for (const { keyId, reason, count } of leftOut) {
      const fields = { keyId, reason };
      this.#write(
        'info',
        'lines suppressed',
        entryJson('info', 'lines suppressed', fields, this.#clock(), count),
      );
    }
  }
}

function writtenBy(logger: Logger): Readonly<Record<LogLevel, boolean>> {
  return {
    debug: logger.isLevelEnabled('debug'),
    info: logger.isLevelEnabled('info'),
    warn: logger.isLevelEnabled('warn'),
    error: logger.isLevelEnabled('error'),
  };
}

/** A log that writes JSON lines through winston. */
export function createLog(options: LogOptions): Log {
  const clock = options.clock ?? Date.now;
  const write = options.write;
  const sink =
    typeof write === 'function'
      ? new FunctionSink(write)
      : new LineBuffer(
          write === undefined ? stdoutTarget() : new StreamTarget(write),
          (count) =>
            `{"time":"${isoTime(clock())}","level":"warn","message":"log lines dropped","dropped":${count}}\n`,
        );
  const logger = createLogger({
    level: options.level,
    levels: { ...LEVEL_ORDER },
    // The line comes finished, so that it is made once and without intermediate objects.
    format: { transform: (info) => info },
    transports: lineTransport((line) => sink.push(line)),
  });
  return new WinstonLog(logger, sink, clock);
}
