import type { BucketLimit, Demand, Settlement } from '@nexus/domain';
import { unitsAsked } from '../bucket.ts';
import { checkDemand } from '../demand.ts';
import { LARGEST } from '../limit-problem.ts';
import {
  CALENDAR_CHARGED,
  type CompiledBucket,
  type CompiledOwner,
  RATE_CHARGED,
  SLOTS,
} from './compiled-owner.ts';
import type { Ending } from './ending-queue.ts';
import { NumberMessage } from './message.ts';
import type { RecordStream, RedisLimiterOptions } from './redis-limiter-options.ts';

/** What one request asks of every bucket of its owners, in their order. */
export interface Asking {
  readonly owners: readonly CompiledOwner[];
  /** Units, one for each bucket of each owner. */
  readonly units: readonly number[];
  /** How many requests it is: 0 isn't counted as one under way. */
  readonly requests: number;
}

/** @throws RangeError if the demand isn't made of integers ≥ 0: taking less than nothing would fill buckets */
export function askingOf(owners: readonly CompiledOwner[], demand: Demand): Asking {
  checkDemand(demand);
  const units: number[] = [];
  // More than 2^52 fits no bucket: they are as impossible as 2^52.
  for (const { buckets } of owners)
    for (const { limit } of buckets) units.push(Math.min(unitsAsked(limit, demand), LARGEST));
  return { owners, units, requests: Math.min(demand.requests, LARGEST) };
}

/** Whether a bucket's charge is made with the rest of a request. */
export type ChargesWith = (owner: string, limit: BucketLimit, units: number) => boolean;

/** What a request asks that was admitted elsewhere: all it holds, and the charges that `charges` wants. */
export function imposedOf({ owners, units, requests }: Asking, charges: ChargesWith): Asking {
  let index = 0;
  const imposed = owners.flatMap(({ owner, buckets }) =>
    buckets.map(({ kind, limit }) => {
      const asked = units[index++] ?? 0;
      const isCharged = kind === RATE_CHARGED || kind === CALENDAR_CHARGED;
      return isCharged && !charges(owner, limit, asked) ? 0 : asked;
    }),
  );
  return { owners, units: imposed, requests };
}

/** Units that a settlement charges to a bucket. Requests were charged before, slots never are. */
function unitsUsed({ kind, limit }: CompiledBucket, used: Settlement): number {
  if (kind === RATE_CHARGED || kind === CALENDAR_CHARGED || kind === SLOTS) return 0;
  const tokens = {
    requests: 0,
    inputTokens: finite(used.inputTokens),
    outputTokens: finite(used.outputTokens),
    nanoUsd: finite(used.nanoUsd ?? 0),
  };
  return Math.min(unitsAsked(limit, tokens), LARGEST);
}

/** Tokens as somebody else reported them: NaN and less than 0 are none, a fraction is rounded up. */
function finite(tokens: number): number {
  return tokens > 0 ? Math.min(Math.ceil(tokens), LARGEST) : 0;
}

/** How leases run, and how long an ended request is remembered. */
export interface LeaseTimes {
  readonly leaseMs: number;
  readonly sliceMs: number;
  readonly keepMs: number;
  /** How much longer every key lives than it must. */
  readonly slackMs: number;
}

const LEASE_MS = 60_000;
const SLICE_MS = 15_000;
const SLACK_MS = 1_000;
const HAND_SLACK_MS = 600_000;

/** @throws RangeError if a lease is longer than four slices */
export function leaseTimes(options: RedisLimiterOptions): LeaseTimes {
  const { leaseMs = LEASE_MS, sliceMs = SLICE_MS, handClock } = options;
  if (leaseMs > 4 * sliceMs) throw new RangeError('A lease may be four slices long at most');
  // With a clock that stands still, keys must outlive any pause between two steps of a test.
  return { leaseMs, sliceMs, keepMs: leaseMs, slackMs: handClock ? HAND_SLACK_MS : SLACK_MS };
}

/** The scripts' arguments after the message: times to live of records that hold something, of markers, and of ended requests' markers. */
export function timesToLive({ leaseMs, sliceMs, keepMs, slackMs }: LeaseTimes): readonly string[] {
  const heldMs = leaseMs + sliceMs + slackMs;
  // A marker outlives its leases: a late end must find what was taken.
  return [`${heldMs}`, `${heldMs + keepMs}`, `${keepMs + slackMs}`];
}

/** Where records begin in the arguments of finish.lua: behind the place of the clock and that of a second message, used or not. */
const FIRST_RECORD = 7;

/** Builds one call's keys and message. The scripts' heads say how they are laid out. */
export class CallMessage {
  readonly keys: string[];
  /** What goes into the ledger's stream. */
  readonly records: string[] = [];
  readonly #message = new NumberMessage();
  readonly #places: Map<string, number>;
  readonly #stream: RecordStream | undefined;

  /** @param first the message before this one in the same call: they share its keys */
  constructor(
    { leaseMs, sliceMs, slackMs }: LeaseTimes,
    count: number,
    {
      stream,
      first,
    }: { readonly stream?: RecordStream | undefined; readonly first?: CallMessage | undefined } = {},
  ) {
    this.#stream = stream;
    this.keys = first?.keys ?? [];
    this.#places = first ? first.#places : new Map();
    for (const value of [leaseMs, sliceMs, slackMs, count]) this.#message.add(value);
  }

  /** An admission that may wait for `longestMs`; without a marker it only looks. `nowMs` is Redis' time, about. */
  addAdmission(markerKey: string | undefined, asking: Asking, longestMs: number, nowMs: number): void {
    this.#message.add(markerKey === undefined ? 0 : this.#place(markerKey));
    this.#message.add(longestMs);
    this.#addOwners(asking, undefined, nowMs);
  }

  /** An end, by its number in finish.lua. */
  addEnding({ what, markerKey, asking, used, usedUnits, record }: Ending, nowMs: number): void {
    this.#message.add(what);
    this.#message.add(this.#place(markerKey));
    this.#addRecord(record);
    let index = 0;
    const usedOf = (bucket: CompiledBucket) =>
      usedUnits ? (usedUnits[index++] ?? 0) : used ? unitsUsed(bucket, used) : 0;
    this.#addOwners(asking, usedOf, nowMs);
  }

  end(): Buffer {
    return this.#message.end();
  }

  #addRecord(record: string | undefined): void {
    if (record === undefined || this.#stream === undefined) {
      this.#message.add(0);
      return;
    }
    const { stream, lost, most } = this.#stream;
    this.#message.add(FIRST_RECORD + this.records.length);
    for (const key of [stream, lost]) this.#message.add(this.#place(key));
    this.#message.add(most);
    this.records.push(record);
  }

  #addOwners(
    { owners, units, requests }: Asking,
    usedOf: ((bucket: CompiledBucket) => number) | undefined,
    nowMs: number,
  ): void {
    const message = this.#message;
    message.add(owners.length);
    let index = 0;
    for (const { key, buckets, countsOpen } of owners) {
      message.add(this.#place(key));
      message.add(countsOpen ? requests : 0);
      message.add(buckets.length);
      for (const bucket of buckets) {
        message.addPacked(bucket.packedId);
        message.add(units[index++] ?? 0);
        if (usedOf) message.add(usedOf(bucket));
        message.addPacked(bucket.packedAt(nowMs));
      }
    }
  }

  /** The place of a key, from 1. */
  #place(key: string): number {
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    this.keys.push(key);
    this.#places.set(key, this.keys.length);
    return this.keys.length;
  }
}
