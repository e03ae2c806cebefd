import { Days, daysBetween } from '../days.ts';
import type { UsageSource } from '../ledger-store.ts';
import { type ModelDay, namesOf, type UsageQuery, type UsageRow } from '../usage-query.ts';
import {
  addTotals,
  DAY_KEYS,
  dayKeyOf,
  noUsage,
  readTotals,
  TOTAL_NAMES,
  totalsOf,
  totalValues,
  type UsageTotals,
} from '../usage-totals.ts';
import { GROUP, type LedgerKeys, type RedisCall, Script } from './redis.ts';
import type { Drained, DrainStep, Sink } from './sink.ts';

export interface RollUpsOptions {
  readonly redis: RedisCall;
  readonly keys: LedgerKeys;
  /** Whose days they are. */
  readonly timeZone: string;
  /** How long a day is kept, in milliseconds. */
  readonly keepMs: number;
  /** How many rows a day may have until its new rows lose names. Default 10,000, some 2 MB. */
  readonly mostRows?: number;
}

/** Redis is busy with so many for less than a millisecond (13 µs each, measured): admissions wait for no longer. */
const MOST_TOGETHER = 50;
const MOST_ROWS = 10_000;
const SCAN_COUNT = 1_000;
/** A time zone's day lasts 25 hours at most, and its end is at most 14 hours away from UTC's. */
const DAY_SLACK_MS = 2 * 86_400_000;

/** What stands for names of which a day has too many. */
const OTHERS = '(others)';

/**
 * The sums of each day in Redis, by everything that a report can be broken down by: for a cluster without PostgreSQL. Clients can invent customers
 * and models, so a day has a bounded number of rows: beyond `mostRows`, new ones go without customer, feature and model, beyond twice as many
 * without any name. Sums of all rows stay exact.
 */
export class RollUps implements Sink, UsageSource {
  readonly most = MOST_TOGETHER;
  readonly #options: RollUpsOptions;
  readonly #days: Days;
  readonly #rollUp = new Script('roll-up');

  constructor(options: RollUpsOptions) {
    this.#options = options;
    this.#days = new Days(options.timeZone);
  }

  async keep(drained: readonly Drained[], onStep: (step: DrainStep) => void): Promise<number> {
    const { redis, keys, keepMs, mostRows = MOST_ROWS } = this.#options;
    const places = new Map<string, number>();
    const records = drained.flatMap(({ streamId, entry }) => {
      const day = this.#days.of(entry.endedMs);
      const place = places.get(day) ?? places.size + 2;
      places.set(day, place);
      const row = dayKeyOf(entry);
      // The tenant, the team and the key; the tenant alone.
      const coarser = [3, 1].map((kept) => row.map((name, index) => (index < kept ? name : OTHERS)));
      const values = totalValues(totalsOf(entry)).map(String);
      return [streamId, place, ...[row, ...coarser].map((names) => JSON.stringify(names)), ...values];
    });
    await this.#rollUp.run(
      redis,
      [keys.stream, ...[...places.keys()].map((day) => keys.day(day))],
      [GROUP, keepMs + DAY_SLACK_MS, mostRows, TOTAL_NAMES.length, ...records],
    );
    onStep('kept');
    onStep('taken off');
    return 0;
  }

  async usage({ since, until, by }: UsageQuery): Promise<readonly UsageRow[]> {
    const rows = new Map<string, { names: readonly string[]; totals: UsageTotals }>();
    for (const day of daysBetween(since, until))
      for await (const { texts, totals } of this.#rowsOf(day)) {
        const names = namesOf(by, [day, ...texts]);
        const name = JSON.stringify(names);
        const row = rows.get(name) ?? { names, totals: noUsage() };
        rows.set(name, row);
        addTotals(row.totals, totals);
      }
    return [...rows.values()];
  }

  /** Undefined where the days are not UTC's: of a day nothing smaller is known. */
  async modelDays(since: string, until: string): Promise<readonly ModelDay[] | undefined> {
    if (!['UTC', 'Etc/UTC', 'GMT', 'Etc/GMT'].includes(this.#options.timeZone)) return undefined;
    const rows = await this.usage({ since, until, by: ['day', 'model'] });
    return rows
      .filter(({ totals }) => totals.requests > 0)
      .map(({ names: [day = '', model = ''], totals }) => ({
        day,
        model,
        requests: totals.requests,
        inputTokens: totals.inputTokens,
        cachedInputTokens: totals.cachedInputTokens,
        outputTokens: totals.outputTokens,
      }));
  }

  async close(): Promise<void> {}

  /** A day's rows, each once, however long Redis takes to show them all. */
  async *#rowsOf(day: string) {
    const { redis, keys } = this.#options;
    const seen = new Set<string>();
    let cursor = '0';
    do {
      const reply = await redis.call('HSCAN', [keys.day(day), cursor, 'COUNT', SCAN_COUNT]);
      const [next, fields] = Array.isArray(reply) ? reply : ['0', []];
      for (let at = 0; at + 1 < fields.length; at += 2) {
        const field = String(fields[at]);
        // A scan may show a row twice.
        if (seen.has(field)) continue;
        seen.add(field);
        yield { texts: readRow(field), totals: readTotals(String(fields[at + 1]).split(' ')) };
      }
      cursor = String(next);
    } while (cursor !== '0');
  }
}

function readRow(field: string): readonly string[] {
  const read: unknown = JSON.parse(field);
  return Array.isArray(read) ? read.map(String) : DAY_KEYS.map(() => '');
}
