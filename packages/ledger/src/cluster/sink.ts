import type { LedgerEntry } from '@nexus/domain';
import type { LedgerStore } from '../ledger-store.ts';
import { GROUP, type LedgerKeys, type RedisCall, Script } from './redis.ts';

/** A record that was read from the stream. */
export interface Drained {
  /** Its id in the stream. */
  readonly streamId: string;
  readonly entry: LedgerEntry;
}

/** Where the stream is drained into. */
export interface Sink {
  /** How many records it takes at once. */
  readonly most: number;
  /**
   * Keeps records, each once however often it comes, and takes them off the stream then, not before. Resolves with how many could never be
   * kept, and were taken off all the same.
   */
  keep(drained: readonly Drained[], onStep: (step: DrainStep) => void): Promise<number>;
}

/** How far a batch has come. Tests end the process there. */
export type DrainStep = 'read' | 'kept' | 'taken off';

const MOST_TOGETHER = 500;

/** Drains into a store of records: those of a batch are written together, then taken off. */
export class StoreSink implements Sink {
  readonly most = MOST_TOGETHER;
  readonly #store: Pick<LedgerStore, 'write'>;
  readonly #redis: RedisCall;
  readonly #keys: LedgerKeys;
  readonly #acknowledge = new Script('acknowledge');

  constructor(store: Pick<LedgerStore, 'write'>, redis: RedisCall, keys: LedgerKeys) {
    this.#store = store;
    this.#redis = redis;
    this.#keys = keys;
  }

  async keep(drained: readonly Drained[], onStep: (step: DrainStep) => void): Promise<number> {
    const lost = await this.#write(drained.map(({ entry }) => entry));
    onStep('kept');
    await takeOff(
      this.#acknowledge,
      this.#redis,
      this.#keys,
      drained.map(({ streamId }) => streamId),
    );
    onStep('taken off');
    return lost;
  }

  async #write(entries: readonly LedgerEntry[]): Promise<number> {
    try {
      await this.#store.write(entries);
      return 0;
    } catch (error) {
      if (!isOfItsData(error)) throw error;
      // One of them is at fault, and would bar the way for all others for ever.
      let lost = 0;
      for (const entry of entries) {
        try {
          await this.#store.write([entry]);
        } catch (ownError) {
          if (!isOfItsData(ownError)) throw ownError;
          lost += 1;
        }
      }
      return lost;
    }
  }
}

/** Takes records off the stream. */
export async function takeOff(
  acknowledge: Script,
  redis: RedisCall,
  { stream }: LedgerKeys,
  streamIds: readonly string[],
): Promise<void> {
  if (streamIds.length > 0) await acknowledge.run(redis, [stream], [GROUP, ...streamIds]);
}

/** Whether PostgreSQL refused what it was given (SQLSTATE classes 22, data exception, and 23, integrity constraint violation). */
function isOfItsData(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^2[23]/.test(String(error.code));
}
