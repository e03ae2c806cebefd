import type { OutputTarget, WriteEnd } from './output-target.ts';

/** The most that waits for a slow or failing target, in characters. */
const MAX_WAITING = 8 * 1024 * 1024;
/** A write is given about as much as this, in characters. */
const WRITE_SIZE = 256 * 1024;
/**
 * Lines are gathered for this long, so that a busy process makes a hundred writes a second and not one for every turn of
 * its event loop: a write costs more than the lines in it.
 */
const GATHER_MS = 10;
/** After a failed write, until the next try. */
const RETRY_AFTER_MS = 250;
/** How long `flush` waits for a target that takes nothing. */
const FLUSH_WITHIN_MS = 2_000;

interface Batch {
  text: string;
  lines: number;
}

/** Buffers that may hold lines when the process exits: what a crash said last must not be lost. */
const openBuffers = new Set<LineBuffer>();

function writeAllNow(): void {
  for (const buffer of openBuffers) buffer.writeNow();
}

/**
 * Gathers the lines of a few milliseconds into one write, and keeps a bounded number of them for a target that
 * is slow or fails. When it is full, new lines are dropped and counted until it is half empty again; then one line says so.
 */
export class LineBuffer {
  readonly #target: OutputTarget;
  readonly #tellDropped: (count: number) => string;
  readonly #maxWaiting: number;
  #batches: Batch[] = [];
  /** Characters in `#batches` and in the write under way. */
  #waiting = 0;
  #writing: Batch | undefined;
  #rest: Buffer | undefined;
  #isScheduled = false;
  #isOverflowing = false;
  #isGone = false;
  #isClosed = false;
  #dropped = 0;
  #untold = 0;
  #retry: NodeJS.Timeout | undefined;
  #idleWaiters: (() => void)[] = [];

  /**
   * @param tellDropped Makes the line that says how many lines were dropped, with its newline.
   * @param maxWaiting The most that waits, in characters.
   */
  constructor(
    target: OutputTarget,
    tellDropped: (count: number) => string,
    maxWaiting: number = MAX_WAITING,
  ) {
    this.#target = target;
    this.#tellDropped = tellDropped;
    this.#maxWaiting = maxWaiting;
    if (openBuffers.size === 0) process.on('exit', writeAllNow);
    openBuffers.add(this);
  }

  /** Lines dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes a line with its newline, or drops it. Never throws, never blocks. */
  push(line: string): void {
    if (
      this.#isGone ||
      this.#isClosed ||
      this.#isOverflowing ||
      this.#waiting + line.length > this.#maxWaiting
    ) {
      this.#isOverflowing = true;
      this.#drop(1);
      return;
    }
    this.#keep(line);
    this.#schedule();
  }

  /** Resolves when every line so far was written or dropped; with a target that takes nothing, after two seconds. */
  async flush(): Promise<void> {
    this.#writeNext();
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => {
      const limit = setTimeout(resolve, FLUSH_WITHIN_MS);
      this.#idleWaiters.push(() => {
        clearTimeout(limit);
        resolve();
      });
    });
  }

  /** Flushes, drops what is left and lets go of the target. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.flush();
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#dropAll();
    openBuffers.delete(this);
    if (openBuffers.size === 0) process.off('exit', writeAllNow);
    this.#target.release();
  }

  #keep(line: string): void {
    const last = this.#batches.at(-1);
    if (last !== undefined && last.text.length < WRITE_SIZE) {
      last.text += line;
      last.lines += 1;
    } else this.#batches.push({ text: line, lines: 1 });
    this.#waiting += line.length;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#writing !== undefined || this.#retry !== undefined) return;
    this.#isScheduled = true;
    setTimeout(() => {
      this.#isScheduled = false;
      this.#writeNext();
    }, GATHER_MS);
  }

  #writeNext(): void {
    if (this.#writing !== undefined || this.#retry !== undefined || this.#isClosed) return;
    const batch = this.#batches.shift();
    if (batch === undefined) {
      this.#tellIdle();
      return;
    }
    this.#writing = batch;
    this.#write(Buffer.from(batch.text));
  }

  #write(bytes: Buffer): void {
    this.#rest = bytes;
    this.#target.write(bytes, (end) => this.#ended(bytes, end));
  }

  #ended(bytes: Buffer, result: WriteEnd): void {
    if (this.#isClosed) return;
    if (result.end === 'later') {
      const rest = bytes.subarray(result.bytes);
      this.#rest = rest;
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.#write(rest);
      }, RETRY_AFTER_MS);
      this.#retry.unref();
      return;
    }
    const batch = this.#writing;
    this.#writing = undefined;
    this.#rest = undefined;
    this.#waiting -= batch?.text.length ?? 0;
    if (result.end !== 'written') this.#drop(batch?.lines ?? 0);
    if (result.end === 'gone') {
      this.#isGone = true;
      this.#dropAll();
      return;
    }
    if (this.#waiting <= this.#maxWaiting / 2) this.#isOverflowing = false;
    if (result.end === 'written') this.#tellDrops();
    const next = this.#batches[0];
    // What is left of a full house goes at once, and so does what somebody waits for.
    if (next === undefined || next.text.length >= WRITE_SIZE || this.#idleWaiters.length > 0)
      this.#writeNext();
    else this.#schedule();
  }

  /** After a write that worked: says once how many lines were dropped before it. */
  #tellDrops(): void {
    if (this.#untold === 0 || this.#isOverflowing) return;
    const count = this.#untold;
    this.#untold = 0;
    this.#keep(this.#tellDropped(count));
  }

  #drop(lines: number): void {
    this.#dropped += lines;
    this.#untold += lines;
  }

  #dropAll(): void {
    for (const batch of this.#batches) this.#drop(batch.lines);
    if (this.#writing !== undefined) this.#drop(this.#writing.lines);
    this.#batches = [];
    this.#writing = undefined;
    this.#rest = undefined;
    this.#waiting = 0;
    this.#tellIdle();
  }

  #isIdle(): boolean {
    return this.#batches.length === 0 && this.#writing === undefined;
  }

  #tellIdle(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }

  /** Writes what can be written at once, at the exit of the process. The write under way ends by itself. */
  writeNow(): void {
    if (this.#isGone) return;
    if (this.#retry !== undefined && this.#rest !== undefined) this.#target.writeNow(this.#rest);
    const text = this.#batches.map((batch) => batch.text).join('');
    this.#batches = [];
    if (text !== '') this.#target.writeNow(Buffer.from(text));
  }
}
