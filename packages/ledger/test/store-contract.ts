import { describe, expect, it } from 'vitest';
import type { LedgerStore } from '../src/index.ts';
import { usageReport } from '../src/index.ts';
import { entry } from './entries.ts';

const NOVEMBER = { since: '2026-11-01', until: '2026-11-30' };
const at = (instant: string) => ({ startedMs: Date.parse(instant) - 1_000, endedMs: Date.parse(instant) });

/** What every store of records must do. `make` gives an empty one, which the test need not close. */
export function storeContract(name: string, make: (timeZone?: string) => Promise<LedgerStore>): void {
  describe(name, () => {
    it('keeps each id once, within one call and over several', async () => {
      const store = await make();
      const [one, other] = [entry({ tokens: [7, 3] }), entry()];
      expect(await store.write([one, one])).toBe(1);
      expect(await store.write([one, other, one])).toBe(1);
      expect(await store.write([])).toBe(0);
      const { total } = await usageReport(store, { ...NOVEMBER, by: [] }, 'UTC');
      expect(total).toMatchObject({ requests: 2, inputTokens: 17, outputTokens: 8, costNanoUsd: 9_000n });
    });

    it('tells two requests apart to which a client gave one id', async () => {
      const store = await make();
      expect(await store.write([entry({ requestId: 'same' }), entry({ requestId: 'same' })])).toBe(2);
    });

    it('adds up by everything that a report can be broken down by', async () => {
      const store = await make();
      const other = {
        team: 'ads',
        keyId: 'ads-1',
        customer: 'acme',
        feature: 'chat',
        model: 'gpt-4o',
        upstream: 'b',
      };
      await store.write([entry(), entry({ ...other, ...at('2026-10-31T23:59:59Z') }), entry(other)]);
      for (const by of ['team', 'key', 'customer', 'feature', 'model', 'upstream', 'tenant'] as const) {
        const rows = await store.usage({ ...NOVEMBER, by: [by] });
        expect(
          rows.reduce((sum, { totals }) => sum + totals.requests, 0),
          by,
        ).toBe(2);
      }
      const months = await usageReport(
        store,
        { since: '2026-10-01', until: '2026-11-30', by: ['month', 'team'] },
        'UTC',
      );
      expect(months.rows.map(({ names, totals }) => [...names, totals.requests])).toEqual([
        ['2026-10', 'ads', 1],
        ['2026-11', 'ads', 1],
        ['2026-11', 'search', 1],
      ]);
      expect(months.groups.map(({ names, totals }) => [...names, totals.requests])).toEqual([
        ['2026-10', 1],
        ['2026-11', 2],
      ]);
    });

    it('puts requests on the days of its time zone', async () => {
      const store = await make('Europe/Berlin');
      await store.write([entry(at('2026-11-03T22:59:59Z')), entry(at('2026-11-03T23:00:00Z'))]);
      const { rows } = await usageReport(store, { ...NOVEMBER, by: ['day'] }, 'Europe/Berlin');
      expect(rows.map(({ names }) => names[0])).toEqual(['2026-11-03', '2026-11-04']);
    });

    it('counts what got everything back, and what has no price, by themselves', async () => {
      const store = await make();
      const nothing = { tokens: [0, 0] as const, costNanoUsd: undefined };
      await store.write([
        entry({ ...nothing, isCharged: false, status: 503 }),
        entry({ ...nothing }),
        entry({ costNanoUsd: undefined }),
      ]);
      const { total } = await usageReport(store, { ...NOVEMBER, by: [] }, 'UTC');
      expect(total).toMatchObject({ requests: 2, givenBack: 1, unpriced: 1, costNanoUsd: 0n });
    });

    it('adds up more nano-dollars than a double can hold', async () => {
      const store = await make();
      const cost = Number.MAX_SAFE_INTEGER;
      await store.write([
        entry({ costNanoUsd: cost }),
        entry({ costNanoUsd: cost }),
        entry({ costNanoUsd: 1 }),
      ]);
      const { total } = await usageReport(store, { ...NOVEMBER, by: [] }, 'UTC');
      expect(total.costNanoUsd).toBe(2n * BigInt(cost) + 1n);
    });

    it('takes names that would hurt a database, and changes nothing else', async () => {
      const store = await make();
      const names = [
        "'; DROP TABLE nexus_requests; --",
        'a\u0000b',
        '\ud800',
        '"',
        '🙂'.repeat(200),
        '$1',
        '?',
      ];
      expect(await store.write(names.map((model) => entry({ model })))).toBe(names.length);
      const rows = await store.usage({ ...NOVEMBER, by: ['model'] });
      expect(rows).toHaveLength(names.length);
      expect(rows.map((row) => row.names[0])).toContain("'; DROP TABLE nexus_requests; --");
      expect(rows.map((row) => row.names[0])).toContain('a\ufffdb');
    });

    it('forgets what ended before, in steps, and the days with it', async () => {
      const store = await make();
      const old = Array.from({ length: 5 }, () => entry(at('2026-10-01T12:00:00Z')));
      await store.write([...old, entry()]);
      const before = Date.parse('2026-11-01T00:00:00Z');
      expect(await store.prune(before, 3)).toBe(3);
      expect(await store.prune(before, 3)).toBe(2);
      expect(await store.prune(before, 3)).toBe(0);
      const { rows } = await usageReport(
        store,
        { since: '2026-01-01', until: '2026-12-31', by: ['day'] },
        'UTC',
      );
      expect(rows.map(({ names }) => names[0])).toEqual(['2026-11-03']);
    });

    it('tells providers’ days by UTC, whatever its own days are', async () => {
      const store = await make('Pacific/Kiritimati');
      await store.write([
        entry({ ...at('2026-11-03T23:59:59Z'), tokens: [1, 2] }),
        entry({ ...at('2026-11-04T00:00:00Z'), tokens: [4, 8] }),
        entry({ ...at('2026-11-04T12:00:00Z'), isCharged: false }),
      ]);
      const days = await store.modelDays('2026-11-03', '2026-11-04');
      expect(
        days
          ?.map(({ day, requests, inputTokens, outputTokens }) => [day, requests, inputTokens, outputTokens])
          .sort(),
      ).toEqual([
        ['2026-11-03', 1, 1, 2],
        ['2026-11-04', 1, 4, 8],
      ]);
      expect(await store.modelDays('2026-11-05', '2026-11-06')).toEqual([]);
    });

    it('answers nothing where there is nothing', async () => {
      const store = await make();
      expect(await store.usage({ ...NOVEMBER, by: [] })).toEqual([]);
      expect(await store.usage({ ...NOVEMBER, by: ['team', 'model'] })).toEqual([]);
    });
  });
}
