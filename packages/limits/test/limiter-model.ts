import type { BucketLimit, BucketView, Demand, OwnerLimits, Settlement } from '@nexus/domain';

/** What happened to one bucket, for ever: nothing is summed up, the present is worked out from all of it each time. */
interface Taken {
  readonly requestId: string;
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

const DAY_MS = 86_400_000n;
/** The zones that the model knows: those that never change their clocks. */
const OFFSETS_MS = new Map([
  ['UTC', 0n],
  ['Asia/Kolkata', 19_800_000n],
]);

/**
 * The limiter as arithmetic alone, in big integers: it keeps a log of all that was taken and held, and replays it to know
 * a bucket. A cancelled charge is struck from the log, so it was never made.
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

  /** Whether every bucket has room; the wait of the one that must wait longest. */
  judge(
    owners: readonly OwnerLimits[],
    demand: Demand,
    nowMs: number,
  ): { wait: bigint | 'never' } | undefined {
    let longest: bigint | 'never' | undefined;
    for (const { owner, buckets } of owners)
      for (const limit of buckets) {
        const wait = this.#wait(owner, limit, unitsOf(limit, demand), BigInt(nowMs));
        if (wait === undefined || longest === 'never') continue;
        if (wait === 'never' || longest === undefined || wait > longest) longest = wait;
      }
    return longest === undefined ? undefined : { wait: longest };
  }

  take(requestId: string, owners: readonly OwnerLimits[], demand: Demand, nowMs: number): void {
    const now = BigInt(nowMs);
    const endMs = this.#sliceEnd(now);
    this.#requests.set(requestId, { owners, endMs, isOpen: true });
    for (const { owner, buckets } of owners)
      for (const limit of buckets) {
        const log = this.#log(owner, limit);
        const units = unitsOf(limit, demand);
        if (isCharged(limit)) log.taken.push({ requestId, atMs: now, units });
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
    const full = BigInt(limit.burst) * grain;
    let level = full;
    let atMs = taken[0]?.atMs ?? now;
    for (const event of [...taken, { atMs: now, units: 0n }]) {
      level += BigInt(limit.amount) * (event.atMs - atMs);
      if (level > full) level = full;
      level -= event.units * grain;
      atMs = event.atMs;
    }
    return level - live * grain;
  }

  #wait(owner: string, limit: BucketLimit, units: bigint, now: bigint): bigint | 'never' | undefined {
    const free = this.free(owner, limit, now);
    const needed = units * grainOf(limit);
    if (units === 0n || needed <= free) return undefined;
    if (units > sizeOf(limit)) return 'never';
    if (limit.kind === 'concurrency') return 1_000n;
    if (limit.kind === 'calendar') return nextWindow(limit.timeZone, limit.period, now) - now;
    return (needed - free + BigInt(limit.amount) - 1n) / BigInt(limit.amount);
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

function isCharged(limit: BucketLimit): boolean {
  return limit.kind !== 'concurrency' && limit.counts === 'requests';
}

function unitsOf(limit: BucketLimit, { requests, inputTokens, outputTokens }: Demand): bigint {
  if (limit.kind === 'concurrency') return BigInt(requests);
  const units = { requests, input_tokens: inputTokens, output_tokens: outputTokens };
  return BigInt(limit.counts === 'model_tokens' ? inputTokens + outputTokens : units[limit.counts]);
}

function sizeOf(limit: BucketLimit): bigint {
  if (limit.kind === 'concurrency') return BigInt(limit.slots);
  return BigInt(limit.kind === 'rate' ? limit.burst : limit.amount);
}

function grainOf(limit: BucketLimit): bigint {
  return limit.kind === 'rate' ? BigInt(limit.periodMs) : 1n;
}

function windowOf(timeZone: string, period: 'day' | 'month', atMs: bigint): bigint {
  const wallMs = atMs + (OFFSETS_MS.get(timeZone) ?? 0n);
  if (period === 'day') return wallMs / DAY_MS;
  const wall = new Date(Number(wallMs));
  return BigInt(wall.getUTCFullYear() * 12 + wall.getUTCMonth());
}

function nextWindow(timeZone: string, period: 'day' | 'month', now: bigint): bigint {
  const offset = OFFSETS_MS.get(timeZone) ?? 0n;
  const window = windowOf(timeZone, period, now);
  if (period === 'day') return (window + 1n) * DAY_MS - offset;
  return BigInt(Date.UTC(Number(window / 12n), Number(window % 12n) + 1)) - offset;
}
