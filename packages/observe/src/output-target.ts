// Where the lines go, and what Node does there (measured on Linux with Node 24, as its documentation of process I/O says):
// - a pipe or socket as stdout (docker, systemd's journal): process.stdout doesn't block; it queues what the reader
//   doesn't take, without bound. So only one write is given to it at a time.
// - a file or terminal as stdout: process.stdout writes synchronously, and a slow disk or a terminal stopped with
//   Ctrl-S would stop the whole process. So it is written with fs.write, in the thread pool.

import { fstatSync, writeSync, write as writeToFile } from 'node:fs';

/**
 * How a write ended: all `written`; only so many bytes for now, and worth another try `later`; `lost`; or `gone`, when nothing
 * can ever be written again.
 */
export type WriteEnd =
  | { readonly end: 'written' }
  | { readonly end: 'later'; readonly bytes: number }
  | { readonly end: 'lost' }
  | { readonly end: 'gone' };

/** Takes the bytes of whole lines, one write at a time. */
export interface OutputTarget {
  /** Begins to write; `done` is called once, never before `write` returns. */
  write(bytes: Buffer, done: (end: WriteEnd) => void): void;
  /** Writes what can be written at once, for the last moment of a process. */
  writeNow(bytes: Buffer): void;
  /** Lets go of the target. It isn't closed: it isn't ours. */
  release(): void;
}

/** Writes to a file descriptor without blocking. A full disk, and whatever else may pass, is worth another try. */
export class DescriptorTarget implements OutputTarget {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(bytes: Buffer, done: (end: WriteEnd) => void): void {
    this.#write(bytes, 0, done);
  }

  writeNow(bytes: Buffer): void {
    let offset = 0;
    try {
      while (offset < bytes.length) offset += writeSync(this.#descriptor, bytes, offset);
    } catch {
      // The process ends; there is nobody left to tell.
    }
  }

  release(): void {}

  #write(bytes: Buffer, offset: number, done: (end: WriteEnd) => void): void {
    writeToFile(this.#descriptor, bytes, offset, bytes.length - offset, null, (error, count) => {
      if (error !== null) {
        const isGone = error.code === 'EPIPE' || error.code === 'EBADF';
        done(isGone ? { end: 'gone' } : { end: 'later', bytes: offset });
      } else if (offset + count >= bytes.length) done({ end: 'written' });
      else this.#write(bytes, offset + count, done);
    });
  }
}

/** Writes to a stream. What a failing stream took of a write is not known, so that write is lost. */
export class StreamTarget implements OutputTarget {
  readonly #stream: NodeJS.WritableStream;
  #isGone = false;
  readonly #onError = (): void => {
    // Told to the callback of the write as well. Without a listener it would end the process.
  };
  readonly #onClose = (): void => {
    this.#isGone = true;
    const done = this.#done;
    this.#done = undefined;
    done?.({ end: 'gone' });
  };
  #done: ((end: WriteEnd) => void) | undefined;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
    stream.on('error', this.#onError);
    stream.on('close', this.#onClose);
  }

  write(bytes: Buffer, done: (end: WriteEnd) => void): void {
    if (this.#isGone || !this.#stream.writable) {
      setImmediate(done, { end: 'gone' });
      return;
    }
    this.#done = done;
    this.#stream.write(bytes, (error) => {
      // A stream may call back before write returns; the caller is told afterwards, as fs.write does it.
      process.nextTick(() => this.#ended(error ?? undefined));
    });
  }

  writeNow(bytes: Buffer): void {
    if (!this.#isGone && this.#stream.writable) this.#stream.write(bytes);
  }

  release(): void {
    this.#stream.off('close', this.#onClose);
    // While a write is under way its error may still come.
    if (this.#done === undefined) this.#stream.off('error', this.#onError);
  }

  #ended(error: Error | undefined): void {
    const done = this.#done;
    this.#done = undefined;
    if (error === undefined) done?.({ end: 'written' });
    else done?.(this.#stream.writable ? { end: 'lost' } : { end: 'gone' });
  }
}

const STDOUT = 1;

/** Standard output, in the way that doesn't block the process whatever it is. */
export function stdoutTarget(): OutputTarget {
  const kind = fstatSync(STDOUT);
  return kind.isFIFO() || kind.isSocket() ? new StreamTarget(process.stdout) : new DescriptorTarget(STDOUT);
}
