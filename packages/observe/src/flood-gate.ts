/** The lines of one (key, reason) pair. */
interface Flow {
  readonly keyId: string | undefined;
  readonly reason: string;
  /** When the last lines were written, in a ring: `times[next]` is the oldest. */
  readonly times: Float64Array;
  next: number;
  suppressed: number;
}

/** Lines that were left out and that no later line tells of. */
export interface Suppressed {
  readonly keyId: string | undefined;
  readonly reason: string;
  readonly count: number;
}

/** Lines a second for each pair. */
const LINES_A_SECOND = 10;
const SECOND_MS = 1_000;
/** Pairs remembered at once; a pair is forgotten after a quiet second. All further pairs share one flow for each reason. */
const PAIRS = 1_024;
/** Reasons among those that share; beyond them all share a single flow. */
const SHARED_REASONS = 64;
const ALL_OTHERS = 'others';

/**
 * Lets through at most ten lines in any second for each pair of key and reason, and counts what it left out. Its memory is bounded
 * over any number of invented keys. Time comes from the caller and may jump back.
 */
export class FloodGate {
  readonly #flows = new Map<string, Flow>();
  readonly #shared = new Map<string, Flow>();
  #sweptMs = Number.NEGATIVE_INFINITY;

  /** Whether a line may be written: how many like it were left out since the last one, or undefined if it may not. */
  pass(keyId: string | undefined, reason: string, nowMs: number): number | undefined {
    const flow = this.#flow(keyId, reason, nowMs);
    const oldestMs = flow.times[flow.next] ?? 0;
    if (oldestMs > nowMs) flow.times.fill(Number.NEGATIVE_INFINITY);
    else if (nowMs - oldestMs < SECOND_MS) {
      flow.suppressed += 1;
      return undefined;
    }
    flow.times[flow.next] = nowMs;
    flow.next = (flow.next + 1) % LINES_A_SECOND;
    const suppressed = flow.suppressed;
    flow.suppressed = 0;
    return suppressed;
  }

  /** Forgets the pairs that have been quiet for a second, and gives back what was left out of them. */
  sweep(nowMs: number): Suppressed[] {
    this.#sweptMs = nowMs;
    return this.#forget((flow) => Math.abs(nowMs - newestMs(flow)) >= SECOND_MS);
  }

  /** Forgets everything, and gives back what was left out. */
  end(): Suppressed[] {
    return this.#forget(() => true);
  }

  /** Pairs remembered right now. */
  get size(): number {
    return this.#flows.size + this.#shared.size;
  }

  #flow(keyId: string | undefined, reason: string, nowMs: number): Flow {
    const pair = `${keyId ?? ''}\n${reason}`;
    const known = this.#flows.get(pair);
    if (known !== undefined) return known;
    if (this.#flows.size >= PAIRS && Math.abs(nowMs - this.#sweptMs) >= SECOND_MS) this.#makeRoom(nowMs);
    if (this.#flows.size < PAIRS) return add(this.#flows, pair, keyId, reason);
    const sharedReason = this.#shared.size < SHARED_REASONS ? reason : ALL_OTHERS;
    return (
      this.#shared.get(reason) ??
      this.#shared.get(sharedReason) ??
      add(this.#shared, sharedReason, undefined, sharedReason)
    );
  }

  /** Forgets quiet pairs that have nothing to tell; the others wait for the next sweep. */
  #makeRoom(nowMs: number): void {
    this.#sweptMs = nowMs;
    for (const [pair, flow] of this.#flows) {
      if (flow.suppressed === 0 && Math.abs(nowMs - newestMs(flow)) >= SECOND_MS) this.#flows.delete(pair);
    }
  }

  #forget(isOver: (flow: Flow) => boolean): Suppressed[] {
    const told: Suppressed[] = [];
    for (const flows of [this.#flows, this.#shared]) {
      for (const [name, flow] of flows) {
        if (!isOver(flow)) continue;
        flows.delete(name);
        if (flow.suppressed > 0)
          told.push({ keyId: flow.keyId, reason: flow.reason, count: flow.suppressed });
      }
    }
    return told;
  }
}

function newestMs(flow: Flow): number {
  return flow.times[(flow.next + LINES_A_SECOND - 1) % LINES_A_SECOND] ?? 0;
}

function add(flows: Map<string, Flow>, name: string, keyId: string | undefined, reason: string): Flow {
  const times = new Float64Array(LINES_A_SECOND).fill(Number.NEGATIVE_INFINITY);
  const flow: Flow = { keyId, reason, times, next: 0, suppressed: 0 };
  flows.set(name, flow);
  return flow;
}
