import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from './call.ts';
import { type Ask, Deployment } from './deployment.ts';
import { chatAsk, type Dialect, listAsk, longAsk } from './drive/ask.ts';
import { flood } from './drive/flood.ts';
import { healthNotes } from './drive/health-notes.ts';
import { hold } from './drive/hold.ts';
import { tooDear } from './drive/money.ts';
import { type FloodPlan, type HoldPlan, type Plan, planRun } from './drive/plan.ts';
import { findChat, findList } from './drive/preflight.ts';
import { differences, trySharing } from './drive/sharing.ts';
import { type ToldWait, tryToldWait } from './drive/told-wait.ts';
import { calendarRow } from './judge/calendar-row.ts';
import { SETTLED_AFTER_MS } from './judge/settled.ts';
import { isCalendar, isMoney, isRate, type ListedLimits } from './listed-limits.ts';
import type { VerifyOptions } from './options.ts';
import { planText } from './plan-text.ts';
import { VerifyProblem } from './problem.ts';
import type { Report } from './report.ts';
import { reportOf } from './report-of.ts';
import type { Phase } from './run-record.ts';

/** Whoever runs it: is asked before anything is spent, and told what is being done. */
export interface Operator {
  /** Gets what will be done and what it costs; false ends the run before the upstream is called. */
  readonly agree: (plan: string) => Promise<boolean>;
  /** A line about what is being done. */
  readonly say: (doing: string) => void;
}

/** A bucket that is full within this time is waited for before it is driven. */
const LONGEST_REST_MS = 15_000;
/** Settlements may take so long to be seen everywhere. */
const COUNTED_WITHIN_MS = 5_000;

/**
 * Drives a running deployment beyond each of its limits and judges what it let through. Undefined: the operator did not agree.
 * @throws VerifyProblem with a sentence for the operator: an address that can't be reached, a key that is not known, …
 */
export async function verify(options: VerifyOptions, operator: Operator): Promise<Report | undefined> {
  const urls = [options.url, ...options.instances.filter((url) => url !== options.url)];
  const { key, model, ca, connections } = options;
  const deployment = new Deployment({ urls, key, model, ca, connections });
  try {
    return await new Run(deployment, options, operator).whole();
  } finally {
    await deployment.close();
  }
}

class Run {
  readonly #deployment: Deployment;
  readonly #options: VerifyOptions;
  readonly #operator: Operator;
  readonly #phases: Phase[] = [];
  readonly #waits: ToldWait[] = [];
  readonly #disagreements: string[] = [];
  readonly #notes = new Set<string>();
  readonly #left = new Map<string, string>();
  readonly #places: readonly number[];

  constructor(deployment: Deployment, options: VerifyOptions, operator: Operator) {
    this.#deployment = deployment;
    this.#options = options;
    this.#operator = operator;
    const { urls } = deployment;
    this.#places = options.instances.length === 0 ? [0] : options.instances.map((url) => urls.indexOf(url));
  }

  async whole(): Promise<Report | undefined> {
    const { urls } = this.#deployment;
    const before = await this.#everywhere();
    await this.#askHealth();
    const list = await findList(this.#deployment);
    this.#note('a list of models', 'list', before, list.calls);
    const plan = planRun(before, this.#options, list.canList);
    for (const [limit, why] of plan.left) this.#left.set(limit, why);
    if (!(await this.#operator.agree(planText(before, plan, { urls, model: this.#options.model }))))
      return undefined;
    await this.#drive(plan, list.prefix, list.canList, before);
    const after = await this.#counted(before);
    await this.#askHealth();
    const run = {
      urls,
      places: this.#places,
      before,
      after,
      phases: this.#phases,
      left: this.#left,
      waits: this.#waits,
      disagreements: this.#disagreements,
      notes: [...this.#notes],
    };
    return reportOf(run, this.#options.strict);
  }

  async #askHealth(): Promise<void> {
    for (const note of await healthNotes(this.#deployment, this.#places)) {
      if (!this.#notes.has(note)) this.#operator.say(note);
      this.#notes.add(note);
    }
  }

  /** What every place says of the key's limits; the first one's word is what the run is judged by. */
  async #everywhere(): Promise<ListedLimits> {
    const listed: ListedLimits[] = [];
    for (const place of this.#deployment.urls.keys()) listed.push(await this.#deployment.limits(place));
    const [first] = listed;
    if (first === undefined || first.buckets.length === 0) {
      throw new VerifyProblem(
        `${this.#options.url} does not limit this key, so there is nothing to verify. Give it limits, or take another key.`,
      );
    }
    this.#disagreements.push(...differences(this.#deployment.urls, listed));
    return first;
  }

  async #drive(plan: Plan, prefix: string, canList: boolean, before: ListedLimits): Promise<void> {
    const needsChat = plan.hold !== undefined || plan.floods.some(({ ask }) => ask !== 'list');
    let dialect: Dialect | undefined;
    if (needsChat) {
      const chat = await findChat(this.#deployment, prefix, this.#options.model);
      this.#note('a chat call', 'chat', before, chat.calls);
      const problem = chat.problem ?? (await this.#tooDear(plan, before, chat.calls));
      if (problem === undefined) dialect = chat.dialect;
      else this.#leaveChats(plan, problem);
    }
    if (canList) await this.#share(listAsk({ prefix }));
    if (plan.hold && dialect) await this.#hold(plan.hold, dialect);
    for (const phase of plan.floods) {
      if (phase.ask === 'list') await this.#flood(phase, listAsk({ prefix }));
      else if (dialect) await this.#flood(phase, askOf(phase, dialect));
    }
  }

  /** Why a budget that the key has is too small for the plan, judged by what a first call cost; undefined: it is not. */
  async #tooDear(
    { tokens }: Plan,
    before: ListedLimits,
    calls: readonly Call[],
  ): Promise<string | undefined> {
    if (!before.buckets.some(isMoney)) return undefined;
    await sleep(SETTLED_AFTER_MS);
    return tooDear(before, await this.#deployment.limits(0), calls, tokens);
  }

  #leaveChats({ hold: held, floods }: Plan, problem: string): void {
    const needing = [...(held ? [held] : []), ...floods.filter(({ ask }) => ask !== 'list')];
    for (const limit of needing.flatMap(({ limits }) => limits)) this.#left.set(limit, problem);
  }

  async #share(ask: Ask): Promise<void> {
    if (this.#places.length < 2) return;
    this.#operator.say('asking the instances what they see of each other');
    const start = await this.#deployment.limits(0);
    const { calls, problems } = await trySharing(this.#deployment, ask, this.#places, start);
    this.#note('calls through one instance', 'list', start, calls);
    this.#disagreements.push(...problems);
  }

  async #hold({ title, limits, streams, slots, outputTokens }: HoldPlan, dialect: Dialect): Promise<void> {
    const start = await this.#rested(limits);
    this.#operator.say(`${title}: opening ${streams} streams, where ${slots} are allowed`);
    const calls = await hold({
      deployment: this.#deployment,
      places: this.#places,
      ask: longAsk(dialect, outputTokens, true),
      streams,
      seconds: this.#options.seconds,
    });
    this.#phases.push({ title, ask: 'stream', limits, tokensACall: 0, start, calls });
    this.#sayDone(title, calls);
  }

  async #flood(plan: FloodPlan, ask: Ask): Promise<void> {
    const { title, limits, seconds, triesPerSecond } = plan;
    const start = await this.#rested(limits);
    this.#operator.say(`${title}: asking for more than is allowed for ${Math.round(seconds * 10) / 10} s`);
    const slots = start.buckets.flatMap(({ limit, available }) =>
      limit.kind === 'concurrency' ? [Math.max(1, available)] : [],
    );
    const calls = await flood({
      deployment: this.#deployment,
      places: this.#places,
      ask,
      workers: Math.min(this.#options.connections, ...slots),
      seconds,
      triesPerSecond,
      mostAdmitted: Math.ceil(plan.calls * 1.1) + 1,
    });
    const tokensACall = plan.inputTokens + plan.outputTokens;
    this.#phases.push({ title, ask: plan.ask, limits, tokensACall, start, calls });
    this.#sayDone(title, calls);
    if (!this.#options.alone) return;
    // What the last answers used is settled a little after their end.
    if (tokensACall > 0) await sleep(SETTLED_AFTER_MS);
    const wait = await tryToldWait(this.#deployment, ask, this.#places[0] ?? 0, new Set(limits));
    this.#waits.push(wait);
    this.#note('a client that waits as it is told', plan.ask, start, wait.calls);
  }

  /** Waits until the buckets of these limits are full, where that is soon, and says how they stand. */
  async #rested(limits: readonly string[]): Promise<ListedLimits> {
    const now = await this.#deployment.limits(0);
    const waitMs = Math.max(
      0,
      ...now.buckets
        .filter(isRate)
        .filter(({ owner, limit }) => limits.includes(`${owner}/${limit.name}`))
        .map(({ untilFullMs }) => untilFullMs),
    );
    if (waitMs === 0 || waitMs > LONGEST_REST_MS) return now;
    this.#operator.say(`waiting ${Math.ceil(waitMs / 1000)} s until the limits are full`);
    await sleep(waitMs + 1);
    return this.#deployment.limits(0);
  }

  /** How the limits stand when everything has been counted, or nothing more is expected to be. */
  async #counted(before: ListedLimits): Promise<ListedLimits> {
    const now = await this.#deployment.limits(0);
    if (!before.buckets.some(isCalendar)) return now;
    await sleep(SETTLED_AFTER_MS);
    for (const endMs = this.#deployment.nowMs() + COUNTED_WITHIN_MS; ; await sleep(200)) {
      const after = await this.#deployment.limits(0);
      if (this.#deployment.nowMs() > endMs || this.#isCounted(before, after)) return after;
    }
  }

  #isCounted(before: ListedLimits, after: ListedLimits): boolean {
    const run = { before, after, phases: this.#phases };
    return before.buckets.filter(isCalendar).every((view) => calendarRow(view, run).state !== 'miscounted');
  }

  #note(title: string, ask: Phase['ask'], start: ListedLimits, calls: readonly Call[]): void {
    this.#phases.push({ title, ask, limits: [], tokensACall: 0, start, calls });
  }

  #sayDone(title: string, calls: readonly Call[]): void {
    const count = (outcome: Call['outcome']) => calls.filter((call) => call.outcome === outcome).length;
    this.#operator.say(`${title}: ${count('admitted')} let through, ${count('refused')} refused`);
  }
}

function askOf({ ask, inputTokens, outputTokens }: FloodPlan, dialect: Dialect): Ask {
  return ask === 'long' ? longAsk(dialect, outputTokens, false) : chatAsk(dialect, inputTokens, outputTokens);
}
