import { describe, expect, it } from 'vitest';
import {
  changeBudget,
  createKey,
  type Doer,
  type KeyKeeper,
  restoreBudget,
  revokeKey,
  rotateKey,
} from '../src/index.ts';
import { IssuingError } from '../src/issuing.ts';

/** A keeper under test, and another one on the same store, as a second process has it. */
export interface KeeperPair {
  readonly one: KeyKeeper;
  readonly two: KeyKeeper;
}

export const HASH = 'ab'.repeat(32);
export const DOER: Doer = { by: 'api:ops', nowMs: 1_800_000_000_000 };

export function hash(number: number): string {
  return number.toString(16).padStart(64, '0');
}

/** What holds for every keeper. `mostKeys`: how many it takes. */
export function keeperContract(open: (options?: { mostKeys: number }) => Promise<KeeperPair>): void {
  describe('the contract of keepers', () => {
    it('gives a created key to everybody, and only what has changed to who knows the rest', async () => {
      const { one, two } = await open();
      expect(await two.changes(undefined)).toEqual({ position: undefined, isWhole: true, records: [] });
      const wanted = {
        id: 'search-2',
        hash: HASH,
        team: 'search',
        models: ['gpt-4o*'],
        expiresMs: 1_900_000_000_000,
      };
      const record = await createKey(one, wanted, DOER);
      const first = await two.changes(undefined);
      expect(first).toMatchObject({ isWhole: true, records: [record] });
      expect(await two.changes(first.position)).toMatchObject({ isWhole: false, records: [] });
      await createKey(two, { id: 'b', hash: hash(2) }, DOER);
      const next = await one.changes(first.position);
      expect(next).toMatchObject({ isWhole: false, records: [{ id: 'b', createdBy: 'api:ops' }] });
      expect(await one.find('search-2')).toEqual(record);
      expect(await one.find('nobody')).toBeUndefined();
    });

    it('takes an id once, also after its key was revoked', async () => {
      const { one, two } = await open();
      await createKey(one, { id: 'a', hash: HASH }, DOER);
      await expect(createKey(two, { id: 'a', hash: hash(1) }, DOER)).rejects.toThrow(/already/);
      await revokeKey(two, 'a', DOER);
      await expect(createKey(one, { id: 'a', hash: hash(1) }, DOER)).rejects.toBeInstanceOf(IssuingError);
      await expect(revokeKey(one, 'a', DOER)).rejects.toMatchObject({ refusal: 'revoked' });
      expect((await one.find('a'))?.revokedMs).toBe(DOER.nowMs);
    });

    it('lets one of many who change the same key at once go first, and loses none of their changes', async () => {
      const { one, two } = await open();
      const creations = await Promise.allSettled(
        Array.from({ length: 8 }, (_, n) => createKey(n % 2 ? one : two, { id: 'a', hash: hash(n) }, DOER)),
      );
      expect(creations.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      await Promise.all(
        Array.from({ length: 6 }, (_, n) =>
          rotateKey(n % 2 ? one : two, { id: 'a', hash: hash(100 + n), overlapMs: 0 }, DOER),
        ),
      );
      expect((await one.find('a'))?.revision).toBe(7);
      const audits = await two.audits(100);
      expect(audits.map(({ action }) => action)).toEqual([...Array(6).fill('key rotated'), 'key created']);
    });

    it('keeps earlier secrets for the overlap, and no longer than that of the last rotation', async () => {
      const { one } = await open();
      await createKey(one, { id: 'a', hash: hash(1) }, DOER);
      const at = (ms: number): Doer => ({ by: 'cli:x', nowMs: DOER.nowMs + ms });
      await rotateKey(one, { id: 'a', hash: hash(2), overlapMs: 1_000 }, DOER);
      const second = await rotateKey(one, { id: 'a', hash: hash(3), overlapMs: 500 }, at(100));
      expect(second.replaces).toEqual([
        { hash: hash(2), untilMs: DOER.nowMs + 600 },
        { hash: hash(1), untilMs: DOER.nowMs + 600 },
      ]);
      const third = await rotateKey(one, { id: 'a', hash: hash(4), overlapMs: 9_000 }, at(700));
      expect(third.replaces).toEqual([{ hash: hash(3), untilMs: DOER.nowMs + 9_700 }]);
      expect(
        (await rotateKey(one, { id: 'a', hash: hash(5), overlapMs: 0 }, at(800))).replaces,
      ).toBeUndefined();
      for (let n = 0; n < 4; n += 1)
        await rotateKey(one, { id: 'a', hash: hash(10 + n), overlapMs: 9_000 }, at(900));
      await expect(
        rotateKey(one, { id: 'a', hash: hash(20), overlapMs: 9_000 }, at(900)),
      ).rejects.toMatchObject({ refusal: 'too many secrets' });
    });

    it('takes no more keys than it has room for', async () => {
      const { one } = await open({ mostKeys: 2 });
      await createKey(one, { id: 'a', hash: hash(1) }, DOER);
      await createKey(one, { id: 'b', hash: hash(2) }, DOER);
      await expect(createKey(one, { id: 'c', hash: hash(3) }, DOER)).rejects.toMatchObject({
        refusal: 'full',
      });
      await rotateKey(one, { id: 'b', hash: hash(4), overlapMs: 0 }, DOER);
      expect((await one.changes(undefined)).records).toHaveLength(2);
    });

    it('reads many keys, in pages where it has them', { timeout: 60_000 }, async () => {
      const { one, two } = await open();
      const ids = Array.from({ length: 1_203 }, (_, n) => `key.${n}`);
      const records = ids.map((id, n) => ({ id, hash: hash(n), revision: 1, createdMs: 1, createdBy: 'x' }));
      await one.restore(records);
      const { records: read, position } = await two.changes(undefined);
      expect(read.map(({ id }) => id)).toEqual(ids);
      await one.restore(records);
      expect(await two.changes(position)).toEqual({ position, isWhole: false, records: [] });
    });

    it('writes back what it lacks or has older, never what it has newer', async () => {
      const { one } = await open();
      const old = await createKey(one, { id: 'a', hash: HASH }, DOER);
      const revoked = await revokeKey(one, 'a', DOER);
      await one.restore([old]);
      expect(await one.find('a')).toEqual(revoked);
      await one.restore([{ ...old, revision: 3, hash: hash(9) }]);
      expect((await one.find('a'))?.hash).toBe(hash(9));
    });

    it('gives a changed budget to everybody, and takes the change back', async () => {
      const { one, two } = await open();
      const budget = { owner: 'customer:search/a/b', limit: 'usd_per_day', configuredNanoUsd: 5e9 };
      const untilMs = DOER.nowMs + 1_000;
      await createKey(one, { id: 'a', hash: HASH }, DOER);
      const { position } = await two.changes(undefined);
      const raised = await changeBudget(one, budget, { amountNanoUsd: 8_250_000_001, untilMs }, DOER);
      expect(raised).toMatchObject({ revision: 1, change: { amountNanoUsd: 8_250_000_001, untilMs } });
      expect((await two.changes(position)).records).toEqual([raised]);
      expect(await two.findBudget(raised.id)).toEqual(raised);
      expect([await two.find(raised.id), await two.findBudget('a')]).toEqual([undefined, undefined]);
      await restoreBudget(two, budget, { by: 'api:eve', nowMs: DOER.nowMs + 5 });
      const refused = { refusal: 'unchanged' };
      await expect(restoreBudget(one, budget, DOER)).rejects.toMatchObject(refused);
      await changeBudget(one, { ...budget, configuredNanoUsd: null }, { amountNanoUsd: 0, untilMs }, DOER);
      // What has ended by itself can't be taken back.
      const later = { by: 'api:ops', nowMs: untilMs };
      await expect(restoreBudget(one, budget, later)).rejects.toMatchObject(refused);
      const [, back, change] = await one.audits(3);
      expect([back, change]).toMatchObject([
        {
          action: 'budget restored',
          by: 'api:eve',
          before: { amount_usd: 8.250000001, source: 'change', until: new Date(untilMs).toISOString() },
          after: { amount_usd: 5, source: 'configuration', until: null },
        },
        { action: 'budget changed', subject: 'customer:search/a/b/usd_per_day', before: { amount_usd: 5 } },
      ]);
    });

    it('keeps a note of what was changed elsewhere', async () => {
      const { one, two } = await open();
      const note = {
        atMs: 7,
        by: 'file:host',
        action: 'configuration changed' as const,
        subject: 'configuration',
      };
      await one.note({ ...note, before: null, after: { changed: ['limits'] } });
      expect(await two.audits(10)).toEqual([{ ...note, before: null, after: { changed: ['limits'] } }]);
      expect((await two.changes(undefined)).records).toEqual([]);
    });

    it('tells of every change who made it, what was before and after, and no hash', async () => {
      const { one, two } = await open();
      await createKey(one, { id: 'a', hash: HASH, team: 'search' }, DOER);
      await rotateKey(
        one,
        { id: 'a', hash: hash(7), overlapMs: 60_000 },
        { by: 'cli:eve@host', nowMs: DOER.nowMs + 5 },
      );
      await revokeKey(two, 'a', DOER);
      const audits = await two.audits(100);
      expect(audits).toMatchObject([
        { action: 'key revoked', before: { revoked: null }, after: { revoked: '2027-01-15T08:00:00.000Z' } },
        { action: 'key rotated', by: 'cli:eve@host', atMs: DOER.nowMs + 5 },
        { action: 'key created', subject: 'key:a', before: null, after: { team: 'search', tier: null } },
      ]);
      expect(JSON.stringify(audits)).not.toMatch(/[0-9a-f]{32}/);
      expect(await two.audits(1)).toHaveLength(1);
    });
  });
}
