import { describe, expect, it } from 'vitest';
import { type Allowance, usedOf } from './allowance.ts';
import type { Call } from './clients.ts';
import type { RequestLine, Run } from './run.ts';
import { sums } from './sums.ts';

const PLACE = 'http://one';
const ALLOWANCE: Allowance = {
  limit: 'key:a/requests_per_second',
  bound: { amount: 10, burst: 3, periodMs: 1_000 },
  unitsACall: 1,
  concerns: ({ key }) => key === 'a',
};

function call(id: string, sentMs: number, more: Partial<Call> = {}): Call {
  return {
    ...{ id, key: 'a', model: 'm', url: PLACE, sentMs, answeredMs: sentMs + 1, endedMs: sentMs + 2 },
    ...{ end: 'whole', status: 200, asked: 24, tokens: 24, code: '', limit: '', headers: {}, ...more },
  };
}

function line(id: string, more: Partial<RequestLine> = {}): RequestLine {
  const told = { tokens: 24, usageSource: 'reported', limiterMs: 1, ...more };
  return { id, ownId: `own-${id}`, decision: 'admitted', isAlone: false, ...told };
}

/** Three calls that were let through, and one that was refused. */
function even(changes: Partial<Run> = {}): Run {
  const ids = ['x', 'y', 'z'];
  return {
    calls: [
      ...ids.map((id, index) => call(id, 100 + index)),
      call('no', 103, { end: 'refused', status: 429, tokens: 0, limit: ALLOWANCE.limit }),
    ],
    lines: [...ids.map((id) => line(id)), line('no', { decision: 'denied', tokens: 0, usageSource: '' })],
    served: {
      ...{ answers: 3, promptTokens: 24, completionTokens: 48 },
      ...{ reportedPromptTokens: 24, reportedCompletionTokens: 48 },
    },
    hits: 3,
    redis: { open: new Set(), ended: new Set(ids.map((id) => `own-${id}`)), withoutEnd: [] },
    keys: [{ key: 'a', dayUsed: 72, slotsHeld: 0 }],
    allowances: [ALLOWANCE],
    killed: new Set(),
    gatheredMs: 1_000,
    ...changes,
  };
}

const { calls, lines, redis, served } = even();
const without = <T extends { id: string }>(all: readonly T[], id: string) =>
  all.filter((one) => one.id !== id);
const fourth = [...calls, call('w', 105)];
const fourthLine = [...lines, line('w')];
const broken = [...without(calls, 'z'), call('z', 102, { end: 'broken', tokens: 0 })];

describe('the five sums', () => {
  it('come out where all is well', () => {
    expect(sums(even())).toEqual([]);
  });

  it.each<[string, Partial<Run>, string[]]>([
    [
      'a call too many',
      { calls: fourth, lines: fourthLine },
      ['S1: Redis let 1 too many', 'S1: 1 too many passed'],
    ],
    [
      'a request that holds on',
      { redis: { ...redis, open: new Set(['own-x']) } },
      ['S2: 1 requests', 'S2: x is over'],
    ],
    [
      'one that was never ended',
      { redis: { ...redis, ended: new Set(['own-x', 'own-y']) } },
      ['S2: z was admitted'],
    ],
    ['a key without an end', { redis: { ...redis, withoutEnd: ['k'] } }, ['S2: k has no time to live']],
    ['a slot that nobody holds', { keys: [{ key: 'a', dayUsed: 72, slotsHeld: 1 }] }, ['S2: 1 slots of a']],
    ['a line that is missing', { lines: without(lines, 'y') }, ['S3: no line about y']],
    ['a line twice', { lines: [...lines, line('x')] }, ['S3: more than one line about x']],
    [
      'a line that says no',
      { lines: [...without(lines, 'x'), line('x', { decision: 'denied' })] },
      ['S3: x ended whole'],
    ],
    [
      'tokens that were not counted',
      { lines: [...without(lines, 'x'), line('x', { tokens: 23 })] },
      ['S4: the upstream', 'S4: x used 24'],
    ],
    ['tokens that Redis lacks', { keys: [{ key: 'a', dayUsed: 71, slotsHeld: 0 }] }, ['S4: of a 72 to 72']],
    [
      'tokens that Redis has too many',
      { keys: [{ key: 'a', dayUsed: 73, slotsHeld: 0 }] },
      ['S4: of a 72 to 72'],
    ],
    ['a call that was sent twice', { hits: 5 }, ['S4: 4 calls came to the upstream as 5']],
    ['a call that hung', { calls: [...calls, call('', 9, { end: 'hung', status: 0 })] }, ['S5:  ended hung']],
    [
      'an answer that only looks whole',
      { calls: [...without(calls, 'z'), call('z', 9, { end: 'truncated' })] },
      ['S5: z ended truncated'],
    ],
    ['a stream that nobody broke', { calls: broken }, ['S5: z ended broken']],
    [
      'an error of another kind',
      { calls: [...calls, call('e', 9, { end: 'error', status: 500 })] },
      ['S5: e ended error (500'],
    ],
  ])('show %s', (_, changes, expected) => {
    const problems = sums(even(changes));
    for (const problem of expected) expect(problems.join('\n')).toContain(problem);
  });

  it('forgive a killed instance its holds and its broken streams, and no more', () => {
    const killed = new Set([PLACE]);
    const seen = {
      ...{ calls: broken, lines: without(lines, 'z'), killed },
      ...{ served: { ...served, reportedPromptTokens: 16, reportedCompletionTokens: 32 }, hits: 3 },
      redis: { ...redis, open: new Set(['own-z']), ended: new Set(['own-x', 'own-y']) },
    };
    const kept = [{ key: 'a', dayUsed: 72, slotsHeld: 1 }];
    expect(sums(even({ ...seen, keys: kept }))).toEqual([]);
    expect(sums(even({ ...seen, keys: [{ key: 'a', dayUsed: 73, slotsHeld: 1 }] }))).toHaveLength(1);
    expect(sums(even({ ...seen, keys: kept, killed: new Set() })).length).toBeGreaterThan(1);
  });

  it('allow one burst more for an outage, and only to what was decided in it', () => {
    const alone = [...lines, line('w', { isAlone: true })];
    const seen = { calls: fourth, lines: alone, hits: 4, keys: [{ key: 'a', dayUsed: 96, slotsHeld: 0 }] };
    const told = { ...served, reportedPromptTokens: 32, reportedCompletionTokens: 64 };
    const outage = { fromMs: 104, toMs: 200, forgets: false };
    expect(sums(even({ ...seen, served: told, outage }))).toEqual([]);
    const more = Array.from({ length: 3 }, (_, index) => `more-${index}`);
    const run = even({
      ...seen,
      ...{ served: { ...told, reportedPromptTokens: 56, reportedCompletionTokens: 112 }, outage, hits: 7 },
      calls: [...fourth, ...more.map((id) => call(id, 105))],
      lines: [...alone, ...more.map((id) => line(id, { isAlone: true }))],
      keys: [{ key: 'a', dayUsed: 168, slotsHeld: 0 }],
    });
    expect(sums(run)).toEqual([`S1: 1 too many passed ${ALLOWANCE.limit}`]);
  });
});

describe('what must have been used of a limit', () => {
  const refusal = (sentMs: number) => call('', sentMs, { end: 'refused', limit: ALLOWANCE.limit });
  const refusals = Array.from({ length: 101 }, (_, index) => refusal(index * 20));

  it('is all that came back between refusals', () => {
    const passed = Array.from({ length: 20 }, (_, index) => call('', index * 100 + 50));
    const { units, due } = usedOf(ALLOWANCE, [...refusals, ...passed]);
    expect(units).toBeGreaterThanOrEqual(due);
    const used = usedOf(ALLOWANCE, [...refusals, ...passed.slice(0, 15)]);
    expect(used.units).toBeLessThan(used.due);
  });

  it('is less where nobody asked for longer than the bucket takes to fill', () => {
    const gap = refusals.filter(({ sentMs }) => sentMs < 500 || sentMs > 1_500);
    const passed = Array.from({ length: 20 }, (_, index) => call('', index * 100 + 50));
    const some = passed.filter(({ sentMs }) => sentMs < 500 || sentMs > 1_300);
    const { units, due } = usedOf(ALLOWANCE, [...gap, ...some]);
    expect(units).toBeGreaterThanOrEqual(due);
  });
});
