import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { handClock, tempDir } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createKey, IssuedKeys, type IssuedKeysChange, revokeKey, rotateKey } from '../src/index.ts';
import { SqliteKeyKeeper } from '../src/sqlite/sqlite-keeper.ts';
import { DOER, hash } from './keeper-contract.ts';

async function watched() {
  const path = join(await tempDir(), 'nexus.db');
  const keeper = new SqliteKeyKeeper(path);
  const seen: IssuedKeysChange[] = [];
  const clock = handClock(0);
  const issued = new IssuedKeys({ keeper, nowMs: clock.now, onChange: (change) => void seen.push(change) });
  onTestFinished(() => {
    issued.close();
    keeper.close();
  });
  const remove = () => {
    for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
  };
  return { path, keeper, issued, seen, clock, remove };
}

describe('the keys that an instance knows', () => {
  it('are those of the keeper, each by every secret that may still be good', async () => {
    const { keeper, issued } = await watched();
    expect(issued.isKnown).toBe(false);
    await issued.refresh();
    expect([issued.isKnown, issued.state().keys]).toEqual([true, 0]);
    await createKey(keeper, { id: 'a', hash: hash(1), expiresMs: DOER.nowMs + 5_000 }, DOER);
    await issued.refresh();
    const first = issued.find(hash(1));
    expect(first).toMatchObject({ record: { id: 'a' }, endsMs: DOER.nowMs + 5_000 });
    const { version } = issued;
    await createKey(keeper, { id: 'b', hash: hash(2) }, DOER);
    await issued.refresh();
    expect(issued.version).not.toBe(version);
    expect(issued.find(hash(1))).toBe(first);
    await rotateKey(keeper, { id: 'a', hash: hash(3), overlapMs: 1_000 }, DOER);
    await issued.refresh();
    expect([1, 3].map((n) => issued.find(hash(n))?.endsMs)).toEqual([DOER.nowMs + 1_000, DOER.nowMs + 5_000]);
    await rotateKey(keeper, { id: 'a', hash: hash(4), overlapMs: 0 }, DOER);
    await issued.refresh();
    expect([1, 3, 4].map((n) => issued.find(hash(n))?.record.id)).toEqual([undefined, undefined, 'a']);
    await revokeKey(keeper, 'a', DOER);
    await issued.refresh();
    expect([4, 2].map((n) => issued.find(hash(n))?.endsMs)).toEqual([0, Number.POSITIVE_INFINITY]);
    const same = issued.version;
    await issued.refresh();
    expect(issued.version).toBe(same);
  });

  it('stay as they were while the keeper is away, which is said once, and their age', async () => {
    const { path, keeper, issued, seen, clock, remove } = await watched();
    await createKey(keeper, { id: 'a', hash: hash(1) }, DOER);
    await issued.refresh();
    remove();
    writeFileSync(path, 'no database at all, but long enough to be looked at as if it were one'.repeat(20));
    for (let count = 0; count < 3; count += 1) {
      clock.advance(500);
      await issued.refresh();
    }
    expect(seen).toMatchObject([{ what: 'away', cause: expect.any(Error) }]);
    expect(issued.state()).toEqual({ status: 'away', keys: 1, ageMs: 1_500 });
    expect(issued.find(hash(1))?.record.id).toBe('a');
    rmSync(path);
    await issued.refresh();
    expect(seen.map(({ what }) => what)).toEqual(['away', 'restored', 'back']);
    expect(issued.state()).toMatchObject({ status: 'ok', ageMs: 0 });
  });

  it('go back into a keeper that lost them, and take what came there meanwhile', async () => {
    const { keeper, issued, seen, remove } = await watched();
    await createKey(keeper, { id: 'a', hash: hash(1) }, DOER);
    await createKey(keeper, { id: 'gone', hash: hash(2) }, DOER);
    await revokeKey(keeper, 'gone', DOER);
    await issued.refresh();
    remove();
    await createKey(keeper, { id: 'new', hash: hash(3) }, DOER);
    await createKey(keeper, { id: 'gone', hash: hash(4) }, DOER);
    await issued.refresh();
    expect(seen).toEqual([{ what: 'restored', records: 2 }]);
    const { records } = await keeper.changes(undefined);
    expect(records.map(({ id, revision }) => `${id} ${revision}`).sort()).toEqual(['a 1', 'gone 2', 'new 1']);
    expect([1, 3, 4].map((n) => issued.find(hash(n))?.record.id)).toEqual(['a', 'new', undefined]);
  });

  it('are the same after many questions at once', async () => {
    const { keeper, issued } = await watched();
    await createKey(keeper, { id: 'a', hash: hash(1) }, DOER);
    await Promise.all(Array.from({ length: 20 }, () => issued.refresh()));
    expect([issued.state().keys, issued.version]).toEqual([1, 1]);
  });
});
