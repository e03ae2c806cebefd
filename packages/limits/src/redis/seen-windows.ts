import { LARGEST } from '../limit-problem.ts';
import type { Answer } from './answer.ts';
import type { Asking } from './asking.ts';
import {
  CALENDAR_CHARGED,
  CALENDAR_HELD,
  type CompiledBucket,
  type CompiledOwner,
  shortHash,
} from './compiled-owner.ts';

/** How windows are looked at and charged in Redis. */
export interface WindowCalls {
  /** @throws RedisAwayError */
  readonly look: (asking: Asking) => Promise<Answer>;
  /** Charges units, one for each bucket; twice under one name charges once. Resolves when it is done or must wait for Redis. */
  readonly charge: (owner: CompiledOwner, units: readonly number[], name: string) => Promise<void>;
}

/** What was seen used of one owner's windows, in the order of its buckets; window 0: the bucket is no calendar's. */
interface SeenOwner {
  readonly owner: CompiledOwner;
  readonly windows: number[];
  /** At least so many units are used for good: what is held isn't counted, nor what was charged and may yet be cancelled. */
  readonly used: number[];
}

const MAX_OWNERS = 100_000;
/** Looked at together: admissions wait no longer than for one such call. */
const TOGETHER = 32;
/** Looks at one owner until what was seen must be there: each may find that another instance gave something back meanwhile. */
const MAX_LOOKS = 8;

/**
 * Remembers what was last seen used of calendar windows, and gives it back to a Redis that has lost it: one that was emptied, that
 * started from an old file, or a replica that took over and hadn't heard of everything. Within a window what is used for good never
 * becomes less, so an answer that shows less in all than that is proof of a loss. (For good, it may show less: a request under way counts
 * as one that may yet be cancelled, also for a limit that didn't count it because its instance doesn't know of that limit.)
 *
 * Each instance makes sure that at least what it saw is used, so the instance that saw most decides; what nobody saw is lost: settlements
 * of the last moments, and windows of owners that no living instance has asked for. Those begin full, but for what `assure` is told of them:
 * totals that are kept elsewhere.
 */
export class SeenWindows {
  readonly #calls: WindowCalls;
  readonly #owners = new Map<string, SeenOwner>();
  /** Owners that settled tokens since they were seen last. */
  readonly #settled = new Map<string, CompiledOwner>();
  readonly #restoring = new Map<string, Promise<void>>();
  #hasLost = false;
  #isClosed = false;

  constructor(calls: WindowCalls) {
    this.#calls = calls;
  }

  /** Takes over what an answer shows. Where it shows less than was seen, the rest is given back, without waiting for it. */
  learn({ owners }: Asking, answer: Answer): void {
    let first = 0;
    for (const owner of owners) {
      if (owner.buckets.some(isCalendar) && !this.#learnOne(owner, answer, first)) {
        if (!this.#restoring.has(owner.key)) this.#hasLost = true;
        void this.#restore([owner.key]).catch(() => {});
      }
      first += owner.buckets.length;
    }
  }

  /** Whether Redis was found to have lost something since all was given back last. */
  get hasLost(): boolean {
    return this.#hasLost;
  }

  /** Tokens were settled: what is used has become more than was seen. */
  expectMore({ owners }: Asking): void {
    for (const owner of owners)
      if (owner.buckets.some(({ kind }) => kind === CALENDAR_HELD)) this.#settled.set(owner.key, owner);
  }

  /**
   * A request is cancelled. While its lease runs, its charges don't count as used for sure; when it has run out they do, and it may yet
   * be cancelled.
   */
  expectLess({ owners, units }: Asking): void {
    let place = 0;
    for (const owner of owners) {
      const used = this.#owners.get(owner.key)?.used;
      for (const [index, { kind }] of owner.buckets.entries()) {
        const less = kind === CALENDAR_CHARGED ? (units[place] ?? 0) : 0;
        if (used && less > 0) used[index] = Math.max(0, (used[index] ?? 0) - less);
        place += 1;
      }
    }
  }

  /**
   * Looks at what was settled and not seen since.
   * @throws RedisAwayError
   */
  async lookAgain(): Promise<void> {
    const owners = [...this.#settled.values()];
    for (let from = 0; from < owners.length && !this.#isClosed; from += TOGETHER)
      await Promise.all(owners.slice(from, from + TOGETHER).map((owner) => this.#look(owner)));
  }

  /**
   * Gives back everything that Redis has lost.
   * @throws RedisAwayError
   */
  async restoreAll(): Promise<void> {
    const keys = [...this.#owners.keys()];
    for (let from = 0; from < keys.length && !this.#isClosed; from += TOGETHER)
      await this.#restore(keys.slice(from, from + TOGETHER));
    this.#hasLost = false;
  }

  /**
   * Makes sure that at least so many units are used in the windows that run now, one number for each bucket.
   * @throws RedisAwayError
   */
  async assure(
    uses: readonly { readonly owner: CompiledOwner; readonly used: readonly number[] }[],
  ): Promise<void> {
    for (let from = 0; from < uses.length && !this.#isClosed; from += TOGETHER)
      await Promise.all(
        uses.slice(from, from + TOGETHER).map(async ({ owner, used }) => {
          const seen = await this.#look(owner);
          const more = owner.buckets.map((bucket, index) => (isCalendar(bucket) ? (used[index] ?? 0) : 0));
          if (more.every((units, index) => units <= (seen.used[index] ?? 0))) return;
          const known = this.#owners.get(owner.key);
          const missing = known ? missingIn(seen, known) : [];
          const least = seen.used.map((units, index) =>
            Math.max(units + (missing[index] ?? 0), more[index] ?? 0),
          );
          // One that is being given back already takes too little.
          await this.#restoring.get(owner.key)?.catch(() => {});
          this.#owners.set(owner.key, { ...seen, used: least });
          await this.#restore([owner.key]);
        }),
      );
  }

  close(): void {
    this.#isClosed = true;
    this.#owners.clear();
    this.#settled.clear();
  }

  /** False if Redis shows less than was seen. */
  #learnOne(owner: CompiledOwner, answer: Answer, first: number): boolean {
    const { key } = owner;
    if (this.#settled.size > 0) this.#settled.delete(key);
    const known = this.#owners.get(key);
    // Nearly always: the same limits as before.
    if (known?.owner === owner) return overwrite(known, answer, first);
    const seen = known ? knownAs(owner, known) : nothingOf(owner);
    if (!overwrite(seen, answer, first)) return false;
    this.#owners.set(key, seen);
    if (this.#owners.size > MAX_OWNERS) this.#forgetOldest();
    return true;
  }

  async #look(owner: CompiledOwner): Promise<SeenOwner> {
    const asking = { owners: [owner], units: owner.buckets.map(() => 0), requests: 0 };
    const answer = await this.#calls.look(asking);
    this.learn(asking, answer);
    return sight(owner, answer, 0);
  }

  async #restore(keys: readonly string[]): Promise<void> {
    await Promise.all(
      keys.map((key) => {
        const underWay = this.#restoring.get(key);
        if (underWay) return underWay;
        const restored = this.#restoreOne(key).finally(() => this.#restoring.delete(key));
        this.#restoring.set(key, restored);
        return restored;
      }),
    );
  }

  /**
   * Many instances may do this at once. A charge is named after what it adds to, so of those that saw the same, one charges; the others
   * look again.
   */
  async #restoreOne(key: string): Promise<void> {
    for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
      const known = this.#owners.get(key);
      if (!known || this.#isClosed) return;
      const seen = await this.#look(known.owner);
      const missing = missingIn(seen, known);
      if (missing.every((units) => units === 0)) return;
      await this.#calls.charge(known.owner, missing, shortHash(`${key} ${seen.windows} ${seen.used}`));
    }
    // Redis won't have it: what it shows is taken for true.
    this.#owners.delete(key);
  }

  #forgetOldest(): void {
    for (const key of this.#owners.keys()) {
      this.#owners.delete(key);
      return;
    }
  }
}

function nothingOf(owner: CompiledOwner): SeenOwner {
  return { owner, windows: owner.buckets.map(() => 0), used: owner.buckets.map(() => 0) };
}

/** What was seen of an owner whose limits were others. */
function knownAs(owner: CompiledOwner, { owner: before, windows, used }: SeenOwner): SeenOwner {
  const places = owner.buckets.map(({ id }) => before.buckets.findIndex((old) => old.id === id));
  return {
    owner,
    windows: places.map((place) => windows[place] ?? 0),
    used: places.map((place) => used[place] ?? 0),
  };
}

/** What an answer shows of one owner, whose buckets begin at `first`. */
function sight(owner: CompiledOwner, answer: Answer, first: number): SeenOwner {
  const seen = nothingOf(owner);
  overwrite(seen, answer, first);
  return seen;
}

/** Takes over what an answer shows; if it shows a loss, nothing is taken over, and false comes back. */
function overwrite({ owner, windows, used }: SeenOwner, answer: Answer, first: number): boolean {
  const { buckets } = owner;
  let index = 0;
  for (const bucket of buckets) {
    if (isCalendar(bucket) && windows[index] === answer.windows[first + index])
      if (usedInAll(bucket, answer, first + index) < (used[index] ?? 0)) return false;
    index += 1;
  }
  index = 0;
  for (const bucket of buckets) {
    if (isCalendar(bucket)) {
      const window = answer.windows[first + index] ?? 0;
      const before = windows[index] === window ? (used[index] ?? 0) : 0;
      windows[index] = window;
      used[index] = Math.max(before, usedIn(bucket, answer, first + index));
    }
    index += 1;
  }
  return true;
}

/** Units used, and those that were charged and may yet be cancelled; what is held isn't counted. */
function usedInAll({ kind, size }: CompiledBucket, { free, back }: Answer, place: number): number {
  return Math.max(0, size - ((kind === CALENDAR_CHARGED ? free[place] : back[place]) ?? size));
}

/** Units used for good, as far as that is sure. */
function usedIn({ size }: CompiledBucket, { back }: Answer, place: number): number {
  return Math.max(0, size - (back[place] ?? size));
}

/** A limit of 0 has no state. */
function isCalendar({ kind, size }: CompiledBucket): boolean {
  return (kind === CALENDAR_HELD || kind === CALENDAR_CHARGED) && size > 0;
}

/** Units of each bucket that were seen used for good in the same window, and aren't for sure any more. */
function missingIn(now: SeenOwner, before: SeenOwner): number[] {
  return now.owner.buckets.map(({ id }, index) => {
    const place = before.owner === now.owner ? index : before.owner.buckets.findIndex((old) => old.id === id);
    const window = now.windows[index] ?? 0;
    if (window === 0 || before.windows[place] !== window) return 0;
    const missing = (before.used[place] ?? 0) - (now.used[index] ?? 0);
    return Math.min(Math.max(0, missing), LARGEST - 1);
  });
}
