import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FloodGate } from '../src/flood-gate.ts';
import { createLog } from '../src/index.ts';
import { DENIED_LINE, SMALL_LINE } from './request-sample.ts';

describe('the flood gate', () => {
  it('lets at most ten through in any second, lets none wait without need, and loses no count', () => {
    const steps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 400 })), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (gaps) => {
        const gate = new FloodGate();
        const passed: number[] = [];
        let nowMs = 1_000_000;
        let told = 0;
        for (const gap of gaps) {
          nowMs += gap;
          const lately = passed.filter((time) => nowMs - time < 1_000).length;
          const suppressed = gate.pass('key', 'reason', nowMs);
          expect(suppressed !== undefined).toBe(lately < 10);
          if (suppressed === undefined) continue;
          passed.push(nowMs);
          told += suppressed;
        }
        for (const { count } of gate.end()) told += count;
        expect(passed.length + told).toBe(gaps.length);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps keys and reasons apart', () => {
    const gate = new FloodGate();
    for (let i = 0; i < 11; i++) gate.pass('a', 'x', 0);
    expect(gate.pass('a', 'x', 0)).toBeUndefined();
    expect(gate.pass('a', 'y', 0)).toBe(0);
    expect(gate.pass('b', 'x', 0)).toBe(0);
    expect(gate.pass(undefined, 'x', 0)).toBe(0);
  });

  it('takes bounded memory and writes bounded lines over a million invented keys, and counts them all', () => {
    const gate = new FloodGate();
    let passed = 0;
    let told = 0;
    for (let i = 0; i < 1_000_000; i++) {
      const suppressed = gate.pass(`invented-${i}`, `reason-${i % 300}`, 5_000);
      if (suppressed === undefined) continue;
      passed += 1;
      told += suppressed;
    }
    expect(gate.size).toBeLessThanOrEqual(1_024 + 65);
    expect(passed).toBeLessThanOrEqual(1_024 + 65 * 10);
    for (const { count } of gate.end()) told += count;
    expect(passed + told).toBe(1_000_000);
  });

  it('has room for new keys again after a quiet second', () => {
    const gate = new FloodGate();
    for (let i = 0; i < 5_000; i++) gate.pass(`invented-${i}`, 'x', 0);
    expect(gate.pass('honest', 'x', 500)).toBeUndefined();
    for (let i = 0; i < 10; i++) expect(gate.pass('honest', 'x', 1_001)).not.toBeUndefined();
    expect(gate.sweep(5_000)).toEqual([expect.objectContaining({ keyId: undefined, reason: 'x' })]);
    expect(gate.size).toBe(0);
  });

  it('is not silenced by a clock that jumps back', () => {
    const gate = new FloodGate();
    for (let i = 0; i < 12; i++) gate.pass('a', 'x', 10_000_000);
    expect(gate.pass('a', 'x', 1_000)).toBe(2);
  });

  it('tells in a sweep only of pairs that have become quiet', () => {
    const gate = new FloodGate();
    for (let i = 0; i < 13; i++) gate.pass('a', 'x', 1_000);
    expect(gate.sweep(1_999)).toEqual([]);
    expect(gate.sweep(2_000)).toEqual([{ keyId: 'a', reason: 'x', count: 3 }]);
    expect(gate.sweep(9_000)).toEqual([]);
  });
});

describe('a log in a flood', () => {
  function logInHand() {
    const lines: Record<string, unknown>[] = [];
    const hand = { nowMs: 1_000 };
    const log = createLog({
      level: 'info',
      write: (line) => lines.push(JSON.parse(line)),
      clock: () => hand.nowMs,
    });
    return { log, lines, hand };
  }

  it('writes ten denials of a key and limit in a second, and the count of the others in the next', () => {
    const { log, lines, hand } = logInHand();
    for (let i = 0; i < 5_000; i++) log.request(DENIED_LINE);
    expect(lines).toHaveLength(10);
    hand.nowMs += 1_000;
    log.request(DENIED_LINE);
    expect(lines[10]).toMatchObject({ message: 'request denied', suppressed: 4_990 });
    log.request(DENIED_LINE);
    expect(lines[11]).not.toHaveProperty('suppressed');
    expect(log.dropped()).toBe(0);
  });

  it('writes every line of a successful request meanwhile', () => {
    const { log, lines } = logInHand();
    for (let i = 0; i < 500; i++) {
      log.request({ ...SMALL_LINE, keyId: 'search-prod' });
      log.request(DENIED_LINE);
    }
    expect(lines.filter((line) => line.status === 200)).toHaveLength(500);
  });

  it('tells what it left out when it closes', async () => {
    const { log, lines } = logInHand();
    for (let i = 0; i < 12; i++) log.request(DENIED_LINE);
    await log.close();
    expect(lines[10]).toEqual({
      time: '1970-01-01T00:00:01.000Z',
      level: 'info',
      message: 'lines suppressed',
      key_id: 'search-prod',
      reason: 'key:search-prod/requests_per_second',
      suppressed: 2,
    });
  });

  it('tells what it left out when it has become quiet', async () => {
    const { log, lines, hand } = logInHand();
    for (let i = 0; i < 12; i++) log.request(DENIED_LINE);
    hand.nowMs += 5_000;
    await expect
      .poll(() => lines.at(-1), { timeout: 10_000 })
      .toMatchObject({
        message: 'lines suppressed',
        suppressed: 2,
      });
    await log.close();
    expect(lines).toHaveLength(11);
  });

  it('bounds the lines of one kind of error, and no others', () => {
    const { log, lines } = logInHand();
    for (let i = 0; i < 100; i++) log.error('settling failed', { error: new TypeError(`${i}`) });
    for (let i = 0; i < 100; i++) log.error('settling failed', { error: new RangeError(`${i}`) });
    expect(lines).toHaveLength(20);
    for (let i = 0; i < 100; i++) log.error('configuration problem', { line: i });
    expect(lines).toHaveLength(120);
  });
});
