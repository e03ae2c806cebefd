import type { WriteStream } from 'node:tty';

/** Says on a terminal what is being done, in one line that the next replaces; elsewhere, a line each. */
export class Progress {
  readonly #out: Pick<WriteStream, 'write'> & { readonly isTTY?: boolean };
  readonly #startedMs = performance.now();

  constructor(out: Pick<WriteStream, 'write'> & { readonly isTTY?: boolean }) {
    this.#out = out;
  }

  say(doing: string): void {
    const seconds = Math.round((performance.now() - this.#startedMs) / 1_000);
    const line = `[${String(seconds).padStart(3)} s] ${doing}`;
    this.#out.write(this.#out.isTTY ? `\r\u001b[2K${line}` : `${line}\n`);
  }

  clear(): void {
    if (this.#out.isTTY) this.#out.write('\r\u001b[2K');
  }
}
