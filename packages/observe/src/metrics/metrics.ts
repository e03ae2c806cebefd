import { EventLoopDelay } from './event-loop-delay.ts';
import { LimitFills } from './limit-fill.ts';
import { type EndedRequest, RequestTallies } from './request-tallies.ts';

/** The state of things at the moment when somebody looks. */
export interface PresentState {
  readonly underWay: number;
  readonly waiting: number;
  readonly sseStreams: number;
  readonly webSockets: number;
  readonly draining: boolean;
  readonly limiter: {
    readonly keeper: 'memory' | 'redis';
    readonly degraded: boolean;
    /** What decides rates and budgets now. */
    readonly decides: { readonly rates: Decider; readonly budgets: Decider };
    readonly instances: number;
    readonly owners: number;
    readonly reservations: number;
    readonly settlementsQueued: number;
    readonly settlementsLost: number;
  };
  /** Absent: there is none. */
  readonly ledger?: LedgerPresence | undefined;
}

/** How the ledger is. */
export interface LedgerPresence {
  readonly degraded: boolean;
  /** Records that it does not have yet, and those that it will never have. */
  readonly waiting: number;
  readonly lost: number;
}

/** What decides limits. */
export type Decider = 'memory' | 'redis' | 'local' | 'closed' | 'open';

export interface MetricsOptions {
  readonly version: string;
  readonly present: () => PresentState;
  /** A clock that never jumps, in milliseconds. */
  readonly nowMs: () => number;
}

/** What Prometheus reads. */
export interface Metrics {
  /** Counts a request that has ended. Never throws. */
  request(ended: EndedRequest): void;
  /** Everything in Prometheus' text format 0.0.4. */
  text(): Promise<string>;
  /** Loads ahead of time what writes the text: some 50 ms of CPU time, which a start or the first look would else take. */
  warm(): void;
  /** Stops what it watches by itself. */
  close(): void;
}

/** Builds all metrics of one gateway; the process' own are those of the process. */
export function createMetrics({ version, present, nowMs }: MetricsOptions): Metrics {
  const tallies = new RequestTallies();
  const fills = new LimitFills();
  const loop = new EventLoopDelay(nowMs);
  const write = async () => {
    const { textWriter } = await import('./text-writer.ts');
    return textWriter({ version, present, tallies, loop, fills: () => fills.at(nowMs()) });
  };
  let writer: ReturnType<typeof write> | undefined;
  const load = () => (writer ??= write());
  return {
    request(ended) {
      tallies.add(ended);
      if (ended.buckets) fills.learn(ended.buckets, nowMs());
    },
    text: async () => (await load())(),
    // What fails here fails again, and is told, when somebody looks.
    warm: () => void load().catch(() => {}),
    close: () => loop.stop(),
  };
}
