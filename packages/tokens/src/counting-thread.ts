import { Worker } from 'node:worker_threads';
import type { CallReading } from './call-fields.ts';
import { adoptVocabulary, hasVocabulary, vocabularyMemory } from './count.ts';
import type { CountingReply, CountingRequest, CountingTask } from './counting-messages.ts';
import type { EncodingName } from './encoding.ts';

export interface CountingThreadOptions {
  /** Bytes of tasks under way, above which further ones are turned away. */
  readonly maxPendingBytes: number;
  /** How long a task may take, its wait included, before its asker goes on without. Until it is done, no other is taken. */
  readonly maxWaitMs: number;
  /** A thread that takes so much longer than that is ended, and another started. */
  readonly maxLateMs: number;
  /** The heap of the thread. */
  readonly maxHeapMb: number;
  /** After a thread has died, none is started for so long. */
  readonly restartAfterMs: number;
  /** The file the thread runs. */
  readonly workerUrl: URL;
}

/** What came of a task; `unknown` when the thread is behind, gone or gave up. */
export type CountingOutcome =
  | { readonly reading: CallReading }
  | { readonly tokens: number }
  | { readonly invalid: string }
  | 'unknown';

interface Pending {
  readonly bytes: number;
  /** Undefined once the asker has gone on without. */
  done: ((outcome: CountingOutcome) => void) | undefined;
  timer: NodeJS.Timeout;
}

const ENCODINGS: readonly EncodingName[] = ['o200k_base', 'cl100k_base'];

/**
 * One worker thread that parses and counts. Started by the first task, kept alive but not keeping the process alive.
 * `ask` never rejects and always resolves within `maxWaitMs`.
 */
export class CountingThread {
  readonly #options: CountingThreadOptions;
  readonly #pending = new Map<number, Pending>();
  /** Resolve once the vocabularies are here, or the thread is gone. */
  readonly #waitingForVocabularies: (() => void)[] = [];
  #worker: Worker | undefined;
  #pendingBytes = 0;
  /** Pending tasks whose askers still wait. */
  #awaited = 0;
  #lastId = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: CountingThreadOptions) {
    this.#options = options;
  }

  /** Whether a task of so many bytes would be taken now. */
  hasRoomFor(bytes: number): boolean {
    if (this.#closed || this.#pendingBytes + bytes > this.#options.maxPendingBytes) return false;
    if (this.#awaited < this.#pending.size) return false;
    return this.#worker !== undefined || performance.now() >= this.#notBeforeMs;
  }

  /** Hands a task over. The memory of `transfer` goes with it. */
  ask(task: CountingTask, bytes: number, transfer: readonly ArrayBuffer[]): Promise<CountingOutcome> {
    const worker = this.hasRoomFor(bytes) ? this.#running() : undefined;
    if (worker === undefined) return Promise.resolve('unknown');
    const id = ++this.#lastId;
    const request: CountingRequest = { id, task };
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#tooLate(id), this.#options.maxWaitMs);
      this.#pending.set(id, { bytes, done: resolve, timer });
      this.#pendingBytes += bytes;
      if (this.#awaited++ === 0) worker.ref();
      worker.postMessage(request, transfer);
    });
  }

  /** Starts the thread and resolves when it has handed out the vocabularies; also if it couldn't. */
  async start(): Promise<void> {
    if (ENCODINGS.every(hasVocabulary)) return;
    const worker = this.#running();
    if (worker === undefined) return;
    worker.ref();
    await new Promise<void>((resolve) => this.#waitingForVocabularies.push(resolve));
    if (this.#awaited === 0) worker.unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    this.#abandon();
    await worker?.terminate();
  }

  #running(): Worker | undefined {
    if (this.#worker !== undefined) return this.#worker;
    if (this.#closed || performance.now() < this.#notBeforeMs) return undefined;
    const { maxHeapMb, restartAfterMs, workerUrl } = this.#options;
    let worker: Worker;
    try {
      worker = new Worker(workerUrl, {
        name: 'counting',
        workerData: { vocabularies: ENCODINGS.filter(hasVocabulary).map(vocabularyMemory) },
        resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
      });
    } catch {
      // The system gives no more threads: go on without one, and try again later.
      this.#notBeforeMs = performance.now() + restartAfterMs;
      return undefined;
    }
    worker.on('message', (reply: CountingReply) => this.#receive(worker, reply));
    // An 'error' is followed by 'exit'; without a listener it would end the process.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      if (this.#worker !== worker) return;
      this.#notBeforeMs = performance.now() + restartAfterMs;
      this.#abandon();
    });
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  #receive(worker: Worker, reply: CountingReply): void {
    if (this.#worker !== worker) return;
    if ('vocabularies' in reply) {
      for (const memory of reply.vocabularies) adoptVocabulary(memory);
      for (const resolve of this.#waitingForVocabularies.splice(0)) resolve();
      return;
    }
    if ('reading' in reply || 'tokens' in reply || 'invalid' in reply) this.#finish(reply.id, reply);
    else this.#finish(reply.id, 'unknown');
  }

  #finish(id: number, outcome: CountingOutcome): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    this.#pendingBytes -= pending.bytes;
    this.#release(pending, outcome);
  }

  #release(pending: Pending, outcome: CountingOutcome): void {
    clearTimeout(pending.timer);
    if (pending.done === undefined) return;
    if (--this.#awaited === 0) this.#worker?.unref();
    pending.done(outcome);
    pending.done = undefined;
  }

  /** The asker goes on; the task stays pending, which turns others away, until it is done or the thread is ended for it. */
  #tooLate(id: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#release(pending, 'unknown');
    pending.timer = setTimeout(() => this.#end(), this.#options.maxLateMs).unref();
  }

  #end(): void {
    const worker = this.#worker;
    this.#abandon();
    void worker?.terminate();
  }

  /** Lets go of the thread: whoever waits for it goes on without. */
  #abandon(): void {
    this.#worker = undefined;
    for (const id of [...this.#pending.keys()]) this.#finish(id, 'unknown');
    for (const resolve of this.#waitingForVocabularies.splice(0)) resolve();
  }
}
