import { Worker } from 'node:worker_threads';
import type { LedgerEntry } from '@nexus/domain';
import type { LedgerStore } from '../ledger-store.ts';
import type { ModelDay, UsageQuery, UsageRow } from '../usage-query.ts';
import type { SqliteReply, SqliteRequest, SqliteTask } from './messages.ts';
import type { SqliteTablesOptions } from './sqlite-tables.ts';

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A ledger in a file, for one process: a thread of its own writes and reads it. Nothing is opened before the first call, which rejects where the
 * file can't be; the next one tries again.
 */
export class SqliteLedger implements LedgerStore {
  readonly #options: SqliteTablesOptions;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #last = 0;

  constructor(options: SqliteTablesOptions) {
    this.#options = options;
  }

  async write(entries: readonly LedgerEntry[]): Promise<number> {
    return Number(await this.#ask({ what: 'write', entries }));
  }

  async prune(beforeMs: number, most: number): Promise<number> {
    return Number(await this.#ask({ what: 'prune', beforeMs, most }));
  }

  async usage(query: UsageQuery): Promise<readonly UsageRow[]> {
    return rowsOf<UsageRow>(await this.#ask({ what: 'usage', query }));
  }

  async modelDays(since: string, until: string): Promise<readonly ModelDay[]> {
    return rowsOf<ModelDay>(await this.#ask({ what: 'modelDays', since, until }));
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    await this.#ask({ what: 'close' }).catch(() => {});
    this.#worker = undefined;
    await worker.terminate();
  }

  #ask(task: SqliteTask): Promise<unknown> {
    this.#last += 1;
    const request: SqliteRequest = { number: this.#last, task };
    return new Promise((resolve, reject) => {
      const worker = this.#running();
      this.#waiting.set(request.number, { resolve, reject });
      worker.ref();
      worker.postMessage(request);
    });
  }

  #running(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), {
      name: 'ledger',
      workerData: this.#options,
    });
    worker.on('message', (reply: SqliteReply) => this.#receive(worker, reply));
    let cause: unknown;
    // It is followed by 'exit'.
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
      const waiting = [...this.#waiting.values()];
      this.#waiting.clear();
      for (const { reject } of waiting) reject(new Error('The thread of the ledger has ended', { cause }));
    });
    this.#worker = worker;
    return worker;
  }

  #receive(worker: Worker, reply: SqliteReply): void {
    const waiting = this.#waiting.get(reply.number);
    this.#waiting.delete(reply.number);
    // An idle thread doesn't keep the process alive.
    if (this.#waiting.size === 0) worker.unref();
    if (!waiting) return;
    if ('result' in reply) waiting.resolve(reply.result);
    else waiting.reject(Object.assign(new Error(reply.failure), { code: reply.code }));
  }
}

/** What our own thread made, as it made it. */
function rowsOf<Row>(result: unknown): readonly Row[] {
  return Array.isArray(result) ? result : [];
}
