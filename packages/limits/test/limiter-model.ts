import type { BucketLimit, BucketView, Demand, OwnerLimits, RateLimit, Settlement } from '@nexus/domain';
import { nextWindow, windowOf } from './model-calendar.ts';

/** What happened to one bucket, for ever: nothing is summed up, the present is worked out from all of it each time. */
interface Taken {
  readonly requestId: string;
  /** When it began, or is to begin. */
  readonly atMs: bigint;
  readonly units: bigint;
}

interface Held {
  readonly requestId: string;
  readonly units: bigint;
  endMs: bigint;
}

interface Log {
  readonly taken: Taken[];
  readonly held: Held[];
}

interface Known {
  readonly owners: readonly OwnerLimits[];
  endMs: bigint;
  isOpen: boolean;
}

/** When a request may begin, counted from now, or how long until it would be let in without a wait. */
type Verdict = { readonly startsIn: bigint } | { readonly wait: bigint | 'never' };

/**
 * The limiter as arithmetic alone, in big integers: it keeps a log of all that was taken and held, and replays it to know
 * a bucket. A cancelled charge is struck from the log, so it was never made. What is to begin stands in the log already; a
 * newcomer may begin at an instant if the replay of everything, with it, never falls below zero from then on.
 */
export class LimiterModel {
  readonly #leaseMs: bigint;
  readonly #sliceMs: bigint;
  readonly #logs = new Map<string, Log>();
  readonly #requests = new Map<string, Known>();

  constructor(leaseMs: number, sliceMs: number) {
    this.#leaseMs = BigInt(leaseMs);
    this.#sliceMs = BigInt(sliceMs);
  }

  judge(owners: readonly OwnerLimits[], demand: Demand, nowMs: number, maxWaitMs: number): Verdict {
    const now = BigInt(nowMs);
    const asked = owners
      .flatMap(({ owner, buckets }) =>
        buckets.map((limit) => ({ owner, limit, units: unitsOf(limit, demand) })),
      )
      .filter(({ units }) => units > 0n);
    if (asked.some(({ limit, units }) => units > sizeOf(limit))) return { wait: 'never' };
    /** The first instant that suits all. */
    const agreed = (isSure: boolean) => {
      let at = now;
      for (let before = -1n; before !== at; ) {
        before = at;
        for (const { owner, limit, units } of asked) {
          const first = this.#first(owner, limit, units, now, at, isSure);
          if (first === undefined) return undefined;
          at = first;
        }
      }
      return at;
    };
    const sure = agreed(true);
    if (sure !== undefined && sure - now <= BigInt(maxWaitMs)) return { startsIn: sure - now };
    return { wait: (agreed(false) ?? now) - now };
  }

  take(
    requestId: string,
    owners: readonly OwnerLimits[],
    demand: Demand,
    nowMs: number,
    startsInMs: number,
  ): void {
    const now = BigInt(nowMs);
    const endMs = this.#sliceEnd(now);
    this.#requests.set(requestId, { owners, endMs, isOpen: true });
    for (const { owner, buckets } of owners)
      for (const limit of buckets) {
        const log = this.#log(owner, limit);
        const units = unitsOf(limit, demand);
        const atMs = limit.kind === 'rate' ? now + BigInt(startsInMs) : now;
        if (isCharged(limit)) log.taken.push({ requestId, atMs, units });
        else log.held.push({ requestId, units, endMs });
      }
  }

  settle(requestId: string, used: Settlement, nowMs: number): void {
    const request = this.#end(requestId);
    if (!request) return;
    for (const { owner, buckets } of request.owners)
      for (const limit of buckets) {
        if (limit.kind === 'concurrency' || isCharged(limit)) continue;
        const units = unitsOf(limit, { requests: 0, ...used });
        this.#log(owner, limit).taken.push({ requestId, atMs: BigInt(nowMs), units });
      }
  }

  cancel(requestId: string): void {
    const request = this.#end(requestId);
    if (!request) return;
    for (const { owner, buckets } of request.owners)
      for (const limit of buckets) strike(this.#log(owner, limit).taken, requestId);
  }

  renew(requestId: string, nowMs: number): void {
    const now = BigInt(nowMs);
    const request = this.#requests.get(requestId);
    if (!request?.isOpen || request.endMs <= now) return;
    request.endMs = this.#sliceEnd(now);
    for (const { owner, buckets } of request.owners)
      for (const limit of buckets)
        for (const held of this.#log(owner, limit).held)
          if (held.requestId === requestId) held.endMs = request.endMs;
  }

  /** Requests that hold something. */
  live(nowMs: number): number {
    return [...this.#requests.values()].filter(({ isOpen, endMs }) => isOpen && endMs > BigInt(nowMs)).length;
  }

  views(
    owners: readonly OwnerLimits[],
    nowMs: number,
  ): Pick<BucketView, 'owner' | 'available' | 'untilFullMs'>[] {
    const now = BigInt(nowMs);
    return owners.flatMap(({ owner, buckets }) =>
      buckets.map((limit) => {
        const grain = grainOf(limit);
        const free = this.free(owner, limit, now);
        const available = Number(free >= 0n ? free / grain : -((-free + grain - 1n) / grain));
        return { owner, available, untilFullMs: Number(this.#untilFull(limit, free, now)) };
      }),
    );
  }

  /** Grains free, or, with `holds` false, grains that would be free if every hold came back. */
  free(owner: string, limit: BucketLimit, now: bigint, holds = true): bigint {
    const { taken, held } = this.#log(owner, limit);
    const live = holds
      ? held.filter(({ endMs }) => endMs > now).reduce((sum, { units }) => sum + units, 0n)
      : 0n;
    if (limit.kind === 'concurrency') return BigInt(limit.slots) - live;
    if (limit.kind === 'calendar') {
      const window = windowOf(limit.timeZone, limit.period, now);
      const inWindow = taken.filter(({ atMs }) => windowOf(limit.timeZone, limit.period, atMs) === window);
      return BigInt(limit.amount) - inWindow.reduce((sum, { units }) => sum + units, 0n) - live;
    }
    const grain = grainOf(limit);
    const planned = taken.filter(({ atMs }) => atMs > now).reduce((sum, { units }) => sum + units, 0n);
    const past = taken.filter(({ atMs }) => atMs <= now);
    return (replay(limit, [...past, { atMs: now, units: 0n }]).at(-1) ?? 0n) - (live + planned) * grain;
  }

  /** The first instant, from a time on, at which a bucket has room; `isSure`: whatever ends or doesn't. */
  #first(
    owner: string,
    limit: BucketLimit,
    units: bigint,
    now: bigint,
    from: bigint,
    isSure: boolean,
  ): bigint | undefined {
    const free = this.free(owner, limit, now);
    const needed = units * grainOf(limit);
    if (limit.kind !== 'rate') {
      if (needed <= free) return from;
      if (isSure) return undefined;
      const wait =
        limit.kind === 'concurrency' ? 1_000n : nextWindow(limit.timeZone, limit.period, now) - now;
      return later(from, now + wait);
    }
    const { taken, held } = this.#log(owner, limit);
    if (!isCharged(limit)) {
      const live = held.filter(({ endMs }) => endMs > now).reduce((sum, hold) => sum + hold.units, 0n);
      if (isSure && units + live > sizeOf(limit)) return undefined;
      return needed <= free ? from : later(from, now + ceil(needed - free, BigInt(limit.amount)));
    }
    const instants = [from, ...taken.map(({ atMs }) => atMs).filter((atMs) => atMs >= from)];
    const levels = instants.map((atMs) => levelAt(limit, taken, atMs));
    const refills = instants.map((atMs, index) =>
      later(atMs, atMs + ceil(needed - (levels[index] ?? 0n), BigInt(limit.amount))),
    );
    return [...instants, ...refills]
      .sort((one, other) => Number(one - other))
      .find((atMs) => keepsAbove(limit, taken, { atMs, units }));
  }

  #untilFull(limit: BucketLimit, free: bigint, now: bigint): bigint {
    if (limit.kind === 'concurrency') return 0n;
    const missing = sizeOf(limit) * grainOf(limit) - free;
    if (missing <= 0n) return 0n;
    if (limit.kind === 'calendar') return nextWindow(limit.timeZone, limit.period, now) - now;
    return (missing + BigInt(limit.amount) - 1n) / BigInt(limit.amount);
  }

  #end(requestId: string): Known | undefined {
    const request = this.#requests.get(requestId);
    if (!request?.isOpen) return undefined;
    request.isOpen = false;
    for (const { owner, buckets } of request.owners)
      for (const limit of buckets) strike(this.#log(owner, limit).held, requestId);
    return request;
  }

  #log(owner: string, limit: BucketLimit): Log {
    const name = `${owner} ${limit.name}`;
    const log = this.#logs.get(name) ?? { taken: [], held: [] };
    this.#logs.set(name, log);
    return log;
  }

  #sliceEnd(now: bigint): bigint {
    return ((now + this.#leaseMs) / this.#sliceMs + 1n) * this.#sliceMs;
  }
}

function strike(log: { readonly requestId: string }[], requestId: string): void {
  for (let index = log.length - 1; index >= 0; index -= 1)
    if (log[index]?.requestId === requestId) log.splice(index, 1);
}

/** The grains after each of some events, in the order of their times. */
function replay(limit: RateLimit, events: readonly Pick<Taken, 'atMs' | 'units'>[]): bigint[] {
  const grain = grainOf(limit);
  const full = BigInt(limit.burst) * grain;
  let level = full;
  let lastMs: bigint | undefined;
  return inOrder(events).map(({ atMs, units }) => {
    level += BigInt(limit.amount) * (atMs - (lastMs ?? atMs));
    if (level > full) level = full;
    level -= units * grain;
    lastMs = atMs;
    return level;
  });
}

function levelAt(limit: RateLimit, taken: readonly Taken[], atMs: bigint): bigint {
  const past = taken.filter((event) => event.atMs <= atMs);
  return replay(limit, [...past, { atMs, units: 0n }]).at(-1) ?? 0n;
}

/** Whether nothing that begins with a newcomer, or after it, finds too little. */
function keepsAbove(
  limit: RateLimit,
  taken: readonly Taken[],
  newcomer: Pick<Taken, 'atMs' | 'units'>,
): boolean {
  const events = inOrder([...taken, newcomer]);
  const levels = replay(limit, events);
  return events.every(({ atMs }, index) => atMs < newcomer.atMs || (levels[index] ?? 0n) >= 0n);
}

function inOrder<T extends { readonly atMs: bigint }>(events: readonly T[]): T[] {
  return [...events].sort((one, other) => Number(one.atMs - other.atMs));
}

function later(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}

function ceil(dividend: bigint, divisor: bigint): bigint {
  return dividend <= 0n ? 0n : (dividend + divisor - 1n) / divisor;
}

function isCharged(limit: BucketLimit): boolean {
  return limit.kind !== 'concurrency' && limit.counts === 'requests';
}

function unitsOf(limit: BucketLimit, { requests, inputTokens, outputTokens, nanoUsd = 0 }: Demand): bigint {
  if (limit.kind === 'concurrency') return BigInt(requests);
  const units = { requests, input_tokens: inputTokens, output_tokens: outputTokens, usd: nanoUsd };
  return BigInt(limit.counts === 'model_tokens' ? inputTokens + outputTokens : units[limit.counts]);
}

function sizeOf(limit: BucketLimit): bigint {
  if (limit.kind === 'concurrency') return BigInt(limit.slots);
  return BigInt(limit.kind === 'rate' ? limit.burst : limit.amount);
}

function grainOf(limit: BucketLimit): bigint {
  return limit.kind === 'rate' ? BigInt(limit.periodMs) : 1n;
}
