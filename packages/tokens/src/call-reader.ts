import { GatewayError } from '@nexus/domain';
import { type CallReading, invalidBody } from './call-fields.ts';
import type { CallKind } from './call-kind.ts';
import { warmCharacterClasses } from './character-class.ts';
import { countTokens, hasVocabulary, vocabularyMemory } from './count.ts';
import { CountingThread } from './counting-thread.ts';
import type { EncodingName } from './encoding.ts';
import { estimateTokens } from './prompt-tally.ts';
import { readCall } from './read-call.ts';
import { readRoughly } from './rough-read.ts';

export interface CallReaderOptions {
  /** Larger bodies and texts go to the counting thread. Hostile text of this size takes some 4 ms. Default 8 KiB. */
  readonly maxInlineBytes?: number;
  /** Characters of text in one call that are counted exactly; beyond, samples are. Default 1 Mi. */
  readonly maxCountedChars?: number;
  /** False: no thread; large bodies are only estimated. Default true. */
  readonly thread?: boolean;
  /** Bytes of bodies that wait for the thread; further ones are estimated. Default 64 MiB. */
  readonly maxPendingBytes?: number;
  /** How long a body waits for the thread before it is estimated. Default 1,000 ms. */
  readonly maxWaitMs?: number;
  /** How much longer the thread may take before it is replaced. Default 10,000 ms. */
  readonly maxLateMs?: number;
  /** The thread's heap. Bodies that could need more than half of it are never parsed, see `readCall`. Default 512 MB. */
  readonly maxHeapMb?: number;
  /** How long after a thread's death none is started. Default 1,000 ms. */
  readonly restartAfterMs?: number;
  /** What the thread runs, where a bundler has moved it. Default `counting-worker.ts` beside this file. */
  readonly workerUrl?: URL;
}

/** How often a hostile text is counted to have its code compiled before a client sends one. */
const WARM_ROUNDS = 12;

const COPY_STEP_BYTES = 1024 * 1024;

/**
 * Reads the bodies of metered calls without holding the event loop: small ones at once, larger ones in a thread that
 * parses and counts, and by an estimate where the thread is behind or gone.
 */
export class CallReader {
  readonly #maxInlineBytes: number;
  readonly #maxCountedChars: number;
  readonly #thread: CountingThread | undefined;

  constructor(options: CallReaderOptions = {}) {
    this.#maxInlineBytes = options.maxInlineBytes ?? 8 * 1024;
    this.#maxCountedChars = options.maxCountedChars ?? 1024 * 1024;
    if (options.thread === false) return;
    this.#thread = new CountingThread({
      maxPendingBytes: options.maxPendingBytes ?? 64 * 1024 * 1024,
      maxWaitMs: options.maxWaitMs ?? 1000,
      maxLateMs: options.maxLateMs ?? 10_000,
      maxHeapMb: options.maxHeapMb ?? 512,
      restartAfterMs: options.restartAfterMs ?? 1000,
      workerUrl: options.workerUrl ?? new URL('./counting-worker.ts', import.meta.url),
    });
  }

  /**
   * Gets ready in short turns of the event loop: starts the thread, takes over the vocabularies it loads and has hostile
   * paths compiled. Optional; call it when the server listens.
   */
  async warm(): Promise<void> {
    await this.#thread?.start();
    for (const encoding of ['o200k_base', 'cl100k_base'] as const) {
      await nextTurn();
      vocabularyMemory(encoding);
      for (let round = 0; round < WARM_ROUNDS; round++) {
        await nextTurn();
        countTokens('a'.repeat(1000), encoding);
        countTokens(
          'Sphinx of black quartz, judge my vow! 12 \u00fcberfl\u00fcssige W\u00f6rter. '.repeat(8),
          encoding,
        );
      }
    }
    for (const _ of warmCharacterClasses()) await nextTurn();
  }

  /**
   * Reads a body: at once if it is small, else a promise. The bytes stay the caller's and must not change until then.
   * Throws or rejects with GatewayError `invalid_body`; nothing else fails, whatever the body or the thread does.
   */
  read(kind: CallKind, body: Uint8Array): CallReading | Promise<CallReading> {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    return bytes.length <= this.#maxInlineBytes && this.#countsHere()
      ? this.#readHere(kind, bytes)
      : this.#readElsewhere(kind, bytes);
  }

  /** The tokens of a text of any length: at once if it is short, else counted in the thread, or estimated without it. */
  count(text: string, encoding: EncodingName): number | Promise<number> {
    return text.length * 3 <= this.#maxInlineBytes && this.#countsHere()
      ? countTokens(text, encoding)
      : this.#countElsewhere(text, encoding);
  }

  /** Ends the thread; what is still read is estimated. */
  async close(): Promise<void> {
    await this.#thread?.close();
  }

  /** Without a thread there is nobody else to load the vocabularies. */
  #countsHere(): boolean {
    return this.#thread === undefined || (hasVocabulary('o200k_base') && hasVocabulary('cl100k_base'));
  }

  #readHere(kind: CallKind, body: Buffer): CallReading | Promise<CallReading> {
    try {
      return readCall(kind, body, this.#maxCountedChars);
    } catch (error) {
      if (error instanceof GatewayError) throw error;
      return readRoughly(kind, body);
    }
  }

  async #readElsewhere(kind: CallKind, body: Buffer): Promise<CallReading> {
    const thread = this.#thread;
    if (!thread?.hasRoomFor(body.length)) {
      // A small body can only come here while the vocabularies aren't loaded; loading them now beats a guess.
      return body.length <= this.#maxInlineBytes ? this.#readHere(kind, body) : readRoughly(kind, body);
    }
    const copy = await copied(body);
    const task = { task: 'read', kind, body: copy, maxCountedChars: this.#maxCountedChars } as const;
    const outcome = await thread.ask(task, body.length, [copy.buffer]);
    if (outcome === 'unknown' || 'tokens' in outcome) return readRoughly(kind, body);
    if ('invalid' in outcome) throw invalidBody(outcome.invalid);
    return outcome.reading;
  }

  async #countElsewhere(text: string, encoding: EncodingName): Promise<number> {
    const task = { task: 'count', text, encoding, maxCountedChars: this.#maxCountedChars } as const;
    const outcome = await this.#thread?.ask(task, text.length * 2, []);
    if (outcome === undefined || outcome === 'unknown' || !('tokens' in outcome)) {
      return estimateTokens(text, encoding);
    }
    return outcome.tokens;
  }
}

/** A copy that can be handed to the thread, made in turns: 10 MB at once would take some 6 ms. */
async function copied(body: Buffer): Promise<Uint8Array<ArrayBuffer>> {
  const copy = new Uint8Array(body.length);
  for (let at = 0; at < body.length; at += COPY_STEP_BYTES) {
    if (at > 0) await nextTurn();
    copy.set(body.subarray(at, at + COPY_STEP_BYTES), at);
  }
  return copy;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
