import type { Admitted, Decision, Demand, OwnerLimits, Settlement } from '@nexus/domain';
import fc from 'fast-check';
import {
  calendar,
  DAY_MS,
  demand,
  HOUR_MS,
  MINUTE_MS,
  owner,
  rate,
  SECOND_MS,
  slots,
} from './limit-shapes.ts';
import { LEASE_MS, type LimiterHarness, SLICE_MS } from './limiter-harness.ts';
import { LimiterModel } from './limiter-model.ts';

/** One thing that happens. `which` chooses among the requests there are. */
export type Step =
  | { readonly does: 'admit'; readonly who: number; readonly demand: Demand; readonly maxWaitMs?: number }
  | { readonly does: 'settle'; readonly which: number; readonly used: Settlement }
  | { readonly does: 'cancel' | 'renew'; readonly which: number }
  | { readonly does: 'wait'; readonly ms: number };

/** A limit of every kind, at its edges too. */
const LIMITS = [
  rate('requests', 7, SECOND_MS),
  rate('requests', 3, MINUTE_MS, 5),
  rate('requests', 1, 30 * DAY_MS),
  rate('requests', 0, HOUR_MS),
  rate('model_tokens', 150_000_000, MINUTE_MS),
  rate('model_tokens', 97, SECOND_MS, 131),
  rate('input_tokens', 101, MINUTE_MS, 211),
  rate('output_tokens', 13, HOUR_MS, 89),
  calendar('requests', 11),
  calendar('requests', 23, 'month', 'Asia/Kolkata'),
  calendar('model_tokens', 307, 'day', 'Asia/Kolkata'),
  calendar('usd', 9_000_000),
  calendar('usd', 5_000_000_000_000, 'month'),
  slots(1),
  slots(3),
];

const someLimits = fc
  .uniqueArray(fc.constantFrom(...LIMITS), { maxLength: 5, selector: ({ name }) => name })
  // A limit of 0 refuses everything; with it in most owners the rest would hardly be tried.
  .filter(
    (limits) => limits.length < 2 || !limits.some((limit) => limit.kind === 'rate' && limit.amount === 0),
  );

const ownersWith = (limits: typeof someLimits) =>
  fc
    .tuple(limits, limits)
    .map(([key, model]) => [owner('key:a', ...key), owner('model:b', ...model)] as const);
export const someOwners = ownersWith(someLimits);

/** Limits that soon have a queue before them. */
const TIGHT_LIMITS = [
  rate('requests', 7, SECOND_MS),
  rate('requests', 20, SECOND_MS, 5),
  rate('requests', 3, SECOND_MS, 1),
  rate('requests', 600, SECOND_MS, 1),
  rate('requests', 97, MINUTE_MS, 3),
  rate('requests', 13, 7_919, 2),
  rate('input_tokens', 97, SECOND_MS, 131),
  calendar('requests', 50),
  slots(20),
];
export const tightOwners = ownersWith(
  fc.uniqueArray(fc.constantFrom(...TIGHT_LIMITS), {
    minLength: 1,
    maxLength: 3,
    selector: ({ name }) => name,
  }),
);

const someTokens = fc.oneof(
  { weight: 3, arbitrary: fc.nat(60) },
  { weight: 1, arbitrary: fc.nat(400) },
  { weight: 1, arbitrary: fc.constantFrom(0, 149_999_999, 75_000_001) },
);
/** So that sums are as large as money is. */
const NANO_USD_A_TOKEN = 60_000;
export const someDemand: fc.Arbitrary<Demand> = fc
  .tuple(fc.constantFrom(1, 1, 1, 1, 0, 2), someTokens, someTokens, someTokens)
  .map(([requests, input, output, cost]) => demand(requests, input, output, cost * NANO_USD_A_TOKEN));
const someUse = fc.tuple(someTokens, someTokens, someTokens).map(([inputTokens, outputTokens, cost]) => ({
  inputTokens,
  outputTokens,
  nanoUsd: cost * NANO_USD_A_TOKEN,
}));
export const someTime = fc.oneof(
  { weight: 6, arbitrary: fc.nat(1_500) },
  { weight: 3, arbitrary: fc.nat(30_000) },
  { weight: 1, arbitrary: fc.nat(2 * HOUR_MS) },
  { weight: 1, arbitrary: fc.nat(40 * DAY_MS) },
);

/** Most have no patience; the longest waits are longer than a lease. */
const someMaxWait = fc.constantFrom(0, 0, 300, 5_000, 100_000);

const which = fc.nat(1_000);
export const someSteps = (maxLength = 30) =>
  fc.array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          does: fc.constant('admit' as const),
          who: fc.nat(3),
          demand: someDemand,
          maxWaitMs: someMaxWait,
        }),
      },
      { weight: 3, arbitrary: fc.record({ does: fc.constant('settle' as const), which, used: someUse }) },
      { weight: 2, arbitrary: fc.record({ does: fc.constant('cancel' as const), which }) },
      { weight: 1, arbitrary: fc.record({ does: fc.constant('renew' as const), which }) },
      { weight: 4, arbitrary: fc.record({ does: fc.constant('wait' as const), ms: someTime }) },
    ),
    { minLength: 1, maxLength, size: 'max' },
  );

/** Many that come at once, and few that end. */
export const crowdedSteps = (maxLength = 40) =>
  fc.array(
    fc.oneof(
      {
        weight: 12,
        arbitrary: fc.record({
          does: fc.constant('admit' as const),
          who: fc.nat(3),
          demand: fc
            .tuple(fc.constantFrom(1, 1, 1, 2), fc.nat(40))
            .map(([count, input]) => demand(count, input)),
          maxWaitMs: fc.constantFrom(0, 300, 5_000, 20_000, 100_000),
        }),
      },
      { weight: 2, arbitrary: fc.record({ does: fc.constant('settle' as const), which, used: someUse }) },
      { weight: 2, arbitrary: fc.record({ does: fc.constant('cancel' as const), which }) },
      { weight: 1, arbitrary: fc.record({ does: fc.constant('renew' as const), which }) },
      {
        weight: 4,
        arbitrary: fc.record({
          does: fc.constant('wait' as const),
          ms: fc.oneof(fc.nat(60), fc.nat(900), fc.nat(9_000)),
        }),
      },
    ),
    { minLength: 5, maxLength, size: 'max' },
  );

/** A request that was admitted, and whether anything may still happen to it. */
interface Request {
  readonly id: string;
  readonly reservation: Admitted['reservation'];
  readonly owners: readonly OwnerLimits[];
  readonly startMs: number;
  hasEnded: boolean;
}

/** What a step came to. */
export interface StepResult {
  readonly step: Step;
  readonly owners: readonly OwnerLimits[];
  /** For an admission: what the limiter said, and what the model says. */
  readonly decision?: Decision;
  readonly expected?: { readonly startsIn: number } | { readonly wait: number | 'never' };
}

/** Takes a limiter and the model through the same steps, and shows every result to `look`. */
export class Sequence {
  readonly model = new LimiterModel(LEASE_MS, SLICE_MS);
  readonly harness: LimiterHarness;
  readonly owners: readonly OwnerLimits[];
  nowMs: number;
  readonly #requests: Request[] = [];
  readonly #begun: Pick<Request, 'id' | 'owners' | 'startMs'>[] = [];
  #count = 0;

  constructor(harness: LimiterHarness, owners: readonly OwnerLimits[], nowMs: number) {
    this.harness = harness;
    this.owners = owners;
    this.nowMs = nowMs;
  }

  /** `cancels`: `last` cancels only a request after which none was admitted that still counts, and none has begun. */
  async take(step: Step, cancels: 'any' | 'last'): Promise<StepResult> {
    const { limiter } = this.harness;
    const { owners, nowMs, model } = this;
    if (step.does === 'wait') {
      this.nowMs += step.ms;
      this.harness.setNow(this.nowMs);
      return { step, owners };
    }
    if (step.does === 'admit') {
      const charged = owners.filter((_, index) => step.who >= 2 || index === step.who);
      const id = `request-${this.#count++}`;
      const { demand: wants, maxWaitMs = 0 } = step;
      const verdict = model.judge(charged, wants, nowMs, maxWaitMs);
      const decision = await limiter.admit({ requestId: id, owners: charged, demand: wants, maxWaitMs });
      if (decision.admitted) {
        const { reservation, startsInMs } = decision;
        const startMs = nowMs + startsInMs;
        this.#requests.push({ id, reservation, owners: charged, startMs, hasEnded: false });
        for (let unit = 0; unit < wants.requests; unit += 1)
          this.#begun.push({ id, owners: charged, startMs });
        model.take(id, charged, wants, nowMs, startsInMs);
      }
      const expected =
        'startsIn' in verdict
          ? { startsIn: Number(verdict.startsIn) }
          : { wait: verdict.wait === 'never' ? verdict.wait : Number(verdict.wait) };
      return { step, owners: charged, decision, expected };
    }
    const request = step.does === 'cancel' && cancels === 'last' ? this.#last() : this.#open(step.which);
    if (!request) return { step, owners };
    const { reservation, id } = request;
    if (step.does === 'renew') {
      await limiter.renew([reservation]);
      model.renew(id, nowMs);
      return { step, owners };
    }
    request.hasEnded = true;
    if (step.does === 'settle') {
      await limiter.settle(reservation, step.used);
      model.settle(id, step.used, nowMs);
      return { step, owners };
    }
    this.#requests.splice(this.#requests.indexOf(request), 1);
    // What the upstream never saw, or refused, doesn't count.
    for (let index = this.#begun.length - 1; index >= 0; index -= 1)
      if (this.#begun[index]?.id === id) this.#begun.splice(index, 1);
    await limiter.cancel(reservation);
    model.cancel(id);
    return { step, owners };
  }

  /** When each unit began, or is to begin, that an owner was charged with and that wasn't cancelled. */
  begun(whose: string): number[] {
    return this.#begun
      .filter(({ owners }) => owners.some(({ owner: name }) => name === whose))
      .map(({ startMs }) => startMs);
  }

  #open(which: number): Request | undefined {
    const open = this.#requests.filter(({ hasEnded }) => !hasEnded);
    return open[which % Math.max(1, open.length)];
  }

  #last(): Request | undefined {
    const last = this.#requests.at(-1);
    if (!last || last.hasEnded) return undefined;
    const hasBegunAfter = ({ startMs }: Request) => startMs > last.startMs && startMs <= this.nowMs;
    return this.#requests.some(hasBegunAfter) ? undefined : last;
  }
}

/** Every number inside. */
export function numbersIn(value: unknown): number[] {
  if (typeof value === 'number') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(numbersIn);
}
