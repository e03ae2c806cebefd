import type { BucketLimit, CalendarLimit, OwnerLimits } from '@nexus/domain';
import { type BudgetChange, type BudgetRecord, changeAt } from '@nexus/keys';

/** The budgets that were changed while Nexus runs, as this instance knows them. */
export interface BudgetSource {
  /** Another number after each change of any of them. */
  readonly version: number;
  /** Those whose change was taken back may be among them. */
  readonly budgets: () => Iterable<BudgetRecord>;
}

/** What is changed of one owner. */
interface OwnerChanges {
  readonly changes: ReadonlyMap<string, BudgetChange>;
  /** The next instant at which one of them ends. */
  readonly endMs: number;
  /** By the limits that the configuration gives: the same object for as long as nothing changes. */
  readonly made: WeakMap<OwnerLimits, OwnerLimits>;
}

/** Whether a limit is a budget: an amount of money for a day or a month. */
export function isBudget(limit: BucketLimit): limit is CalendarLimit {
  return limit.kind === 'calendar' && limit.counts === 'usd';
}

/** Puts the amounts that were changed while Nexus runs in the place of the configuration's. A limit that the configuration doesn't name gets none. */
export class ChangedBudgets {
  readonly #source: BudgetSource;
  readonly #nowMs: () => number;
  #version = -1;
  #byOwner = new Map<string, OwnerChanges>();
  /** Of every owner the records, those that have ended too. */
  #records = new Map<string, BudgetRecord[]>();

  constructor(source: BudgetSource, nowMs: () => number) {
    this.#source = source;
    this.#nowMs = nowMs;
  }

  /** The limits that hold for an owner now: those given where nothing is changed. */
  of(limits: OwnerLimits): OwnerLimits {
    const changed = this.#changesOf(limits.owner);
    if (changed === undefined) return limits;
    const known = changed.made.get(limits);
    if (known) return known;
    const made = Object.freeze({
      ...limits,
      buckets: limits.buckets.map((limit) => withChange(limit, changed)),
    });
    changed.made.set(limits, made);
    return made;
  }

  /** The same for each of several owners. */
  ofAll(owners: readonly OwnerLimits[]): readonly OwnerLimits[] {
    this.#refresh();
    return this.#byOwner.size === 0 ? owners : owners.map((limits) => this.of(limits));
  }

  /** The records of the changes that hold now. */
  live(): BudgetRecord[] {
    return [...this.#source.budgets()].filter((record) => changeAt(record, this.#nowMs()) !== undefined);
  }

  #changesOf(owner: string): OwnerChanges | undefined {
    this.#refresh();
    const changed = this.#byOwner.get(owner);
    return changed && this.#nowMs() >= changed.endMs ? this.#take(owner) : changed;
  }

  #refresh(): void {
    const { version } = this.#source;
    if (version === this.#version) return;
    this.#version = version;
    this.#byOwner = new Map();
    this.#records = new Map();
    for (const record of this.#source.budgets()) {
      const records = this.#records.get(record.owner) ?? [];
      this.#records.set(record.owner, records);
      records.push(record);
    }
    for (const owner of this.#records.keys()) this.#take(owner);
  }

  /** Works out what is changed of an owner now. */
  #take(owner: string): OwnerChanges | undefined {
    const nowMs = this.#nowMs();
    const changes = new Map<string, BudgetChange>();
    let endMs = Number.POSITIVE_INFINITY;
    for (const record of this.#records.get(owner) ?? []) {
      const change = changeAt(record, nowMs);
      if (change === undefined) continue;
      changes.set(record.limit, change);
      endMs = Math.min(endMs, change.untilMs ?? endMs);
    }
    if (changes.size === 0) {
      this.#byOwner.delete(owner);
      return undefined;
    }
    const changed = { changes, endMs, made: new WeakMap<OwnerLimits, OwnerLimits>() };
    this.#byOwner.set(owner, changed);
    return changed;
  }
}

function withChange(limit: BucketLimit, { changes }: OwnerChanges): BucketLimit {
  const change = changes.get(limit.name);
  if (change === undefined || !isBudget(limit)) return limit;
  return Object.freeze({ ...limit, amount: change.amountNanoUsd });
}
