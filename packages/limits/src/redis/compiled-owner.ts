import { createHash } from 'node:crypto';
import type { BucketLimit, OwnerLimits } from '@nexus/domain';
import { windowAt, windowEndMs } from '../calendar.ts';
import { limitProblem, sizeOf } from '../limit-problem.ts';
import { packed } from './message.ts';

/** Kinds of bucket as the scripts know them: record.lua has what each keeps. */
export const RATE_CHARGED = 0;
const RATE_HELD = 1;
export const CALENDAR_HELD = 2;
export const SLOTS = 3;
export const CALENDAR_CHARGED = 4;

/** What goes to Redis of a calendar's limit while one window lasts. */
interface PackedWindows {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly packed: Buffer;
}

/** A limit as it goes to Redis. */
export class CompiledBucket {
  readonly limit: BucketLimit;
  /** Names the bucket within its owner's record; its remainder by 8 is the kind. */
  readonly id: number;
  readonly kind: number;
  readonly size: number;
  /** Grains to a unit. */
  readonly grain: number;
  /** The id, as it stands in a message. */
  readonly packedId: Buffer;
  readonly #packed: Buffer;
  #windows: PackedWindows | undefined;

  constructor(limit: BucketLimit) {
    const problem = limitProblem(limit);
    if (problem) throw new RangeError(`${limit.name} ${problem}`);
    this.limit = limit;
    this.kind = kindOf(limit);
    const detail = limit.kind === 'rate' ? limit.periodMs : limit.kind === 'calendar' ? limit.period : '';
    this.id = hash29(`${limit.kind} ${limit.name} ${detail}`) * 8 + this.kind;
    this.size = sizeOf(limit);
    this.grain = limit.kind === 'rate' ? limit.periodMs : 1;
    this.packedId = packed(this.id);
    // What its bucket refills in a millisecond, in grains, is the amount.
    this.#packed = limit.kind === 'rate' ? packed(this.size, limit.amount, this.grain) : packed(this.size);
  }

  /**
   * What the scripts must know of the limit besides its id, as it stands in a message: the size, and a rate's amount and grain, or of a
   * calendar the windows before, at and after a time (the first one's number, and the four bounds of the three).
   */
  packedAt(nowMs: number): Buffer {
    const { limit, size } = this;
    if (limit.kind !== 'calendar') return this.#packed;
    const known = this.#windows;
    if (known && nowMs >= known.fromMs && nowMs < known.untilMs) return known.packed;
    const { timeZone, period } = limit;
    const window = windowAt(timeZone, period, nowMs);
    const endMs = (offset: number) => windowEndMs(timeZone, period, window + offset);
    const [fromMs, untilMs] = [endMs(-1), endMs(0)];
    const numbers = packed(size, window - 1, endMs(-2), fromMs, untilMs, endMs(1));
    this.#windows = { fromMs, untilMs, packed: numbers };
    return numbers;
  }
}

/** An owner as it goes to Redis. */
export interface CompiledOwner {
  readonly owner: string;
  /** Of its record. */
  readonly key: string;
  readonly buckets: readonly CompiledBucket[];
  /** Whether its record counts the requests under way: for slots, and for charges that may be cancelled. */
  readonly countsOpen: boolean;
}

/** Works out once what of an owner's limits goes to Redis with each of its requests. */
export class OwnerCompiler {
  readonly #prefix: string;
  readonly #known = new WeakMap<OwnerLimits, CompiledOwner>();

  /** @param prefix what every record's key begins with, with the hash tag */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** @throws RangeError if a limit can't be kept exactly, or two limits can't be told apart */
  compile(limits: OwnerLimits): CompiledOwner {
    const known = this.#known.get(limits);
    if (known) return known;
    const buckets = limits.buckets.map((limit) => new CompiledBucket(limit));
    const ids = new Map<number, string>();
    for (const { id, limit } of buckets) {
      const other = ids.get(id);
      if (other !== undefined)
        throw new RangeError(`${limits.owner} has limits that can't be told apart: ${other}, ${limit.name}`);
      ids.set(id, limit.name);
    }
    const countsOpen = buckets.some(({ kind }) => kind !== RATE_HELD && kind !== CALENDAR_HELD);
    // A name may be a person's: the key shows its hash alone, which is always as long.
    const key = `${this.#prefix}o:${shortHash(limits.owner)}`;
    const compiled = { owner: limits.owner, key, buckets, countsOpen };
    this.#known.set(limits, compiled);
    return compiled;
  }

  /** Each owner once: nobody is charged twice for one request. */
  compileAll(owners: readonly OwnerLimits[]): readonly CompiledOwner[] {
    const all: CompiledOwner[] = [];
    for (const limits of owners) {
      const compiled = this.compile(limits);
      if (!all.some(({ key }) => key === compiled.key)) all.push(compiled);
    }
    return all;
  }
}

/** 132 bits of SHA-256, as 22 characters. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

function kindOf(limit: BucketLimit): number {
  if (limit.kind === 'concurrency') return SLOTS;
  const isCharged = limit.counts === 'requests';
  if (limit.kind === 'rate') return isCharged ? RATE_CHARGED : RATE_HELD;
  return isCharged ? CALENDAR_CHARGED : CALENDAR_HELD;
}

/** FNV-1a, its upper 29 bits: an id with its kind must stay below 2^32. */
function hash29(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 3;
}
