import { describe, expect, it } from 'vitest';
import type { Call, ToldRefusal } from '../src/call.ts';
import { reportOf } from '../src/report-of.ts';
import type { Phase, RunRecord } from '../src/run-record.ts';
import { reportText } from '../src/table.ts';
import { listedAt, perDay, perSecond, slots, tokensPerMinute } from './listed.ts';

const RPS = 'key:a/requests_per_second';
const SLOTS = 'key:a/concurrent_requests';
const TPM = 'key:a/model_tokens_per_minute';

const admitted = (sentMs: number, more: Partial<Call> = {}): Call => ({
  place: 0,
  sentMs,
  answeredMs: sentMs + 1,
  endedMs: sentMs + 2,
  outcome: 'admitted',
  ...more,
});

const refused = (sentMs: number, limit: string, more: Partial<ToldRefusal> = {}): Call => ({
  ...admitted(sentMs),
  outcome: 'refused',
  refusal: { limit, retryAfterMs: 100, problems: [], ...more },
});

const buckets = [perSecond(10, { size: 5 }), slots(2), tokensPerMinute(600)];

function run(phases: Partial<Phase>[], more: Partial<RunRecord> = {}): RunRecord {
  const before = more.before ?? listedAt(0, buckets);
  return {
    urls: ['http://nexus'],
    places: [0],
    before,
    after: before,
    phases: phases.map((phase) => ({
      title: '',
      ask: 'list',
      limits: [],
      tokensACall: 0,
      start: before,
      calls: [],
      ...phase,
    })),
    left: new Map(),
    waits: [],
    notes: [],
    disagreements: [],
    ...more,
  };
}

const row = (record: RunRecord, limit: string) =>
  reportOf(record, false).limits.find((each) => each.limit === limit);
/** One second at 10 a second with a burst of 5, as a limiter lets it through that is asked every 10 ms. */
const honest = Array.from({ length: 101 }, (_, i) =>
  i < 5 || (i >= 10 && i % 10 === 0) ? admitted(i * 10) : refused(i * 10, RPS),
);

describe('a report', () => {
  it('says of a limit that was used up and kept that it held', () => {
    expect(row(run([{ limits: [RPS], calls: honest }]), RPS)).toMatchObject({
      state: 'held',
      allowed: 15,
      through: 15,
      usedShare: 1,
      isUnderUsed: false,
    });
  });

  it('says in which window a limit was broken, and by how much', () => {
    const calls = [...honest, ...Array.from({ length: 12 }, () => admitted(405))].filter(
      ({ sentMs }) => sentMs < 900,
    );
    const report = reportOf(run([{ limits: [RPS], calls }]), false);
    expect(report.exitCode).toBe(1);
    expect(report.verdict).toMatch(
      /^key:a\/requests_per_second was broken: \d+ over in \(0\.\d s, 0\.\d s\]$/,
    );
    expect(reportText(report)).toContain('broken');
  });

  it('says that a limit was under-used, which is a no only to the strict', () => {
    const calls = honest.map((call) => (call.sentMs >= 500 ? refused(call.sentMs, RPS) : call));
    const record = run([{ limits: [RPS], calls }], { before: listedAt(0, [perSecond(10, { size: 5 })]) });
    expect(row(record, RPS)).toMatchObject({ state: 'held', isUnderUsed: true });
    expect(reportOf(record, false)).toMatchObject({
      exitCode: 0,
      verdict: `no limit was broken; ${RPS} let through only 60.0 % of what it allows`,
    });
    expect(reportOf(record, true).exitCode).toBe(1);
    expect(reportText(reportOf(record, false))).toContain('held, under-used');
  });

  it('does not call it under-use where calls came too seldom, or another limit stood before', () => {
    const seldom = [admitted(0), refused(1, RPS), admitted(900)];
    const one = { before: listedAt(0, [perSecond(10, { size: 1 })]) };
    expect(row(run([{ limits: [RPS], calls: seldom }], one), RPS)).toMatchObject({
      isUnderUsed: false,
      note: 'of these calls an exact limiter would have let through 2',
    });
    const barred = [
      admitted(0),
      refused(1, RPS),
      ...Array.from({ length: 99 }, (_, i) => refused(i * 10, SLOTS)),
    ];
    expect(row(run([{ limits: [RPS], calls: barred }]), RPS)).toMatchObject({ isUnderUsed: false });
  });

  it('says who refused before a limit was reached, and why a limit was left', () => {
    const record = run([{ limits: [RPS, TPM], calls: honest }], { left: new Map([[SLOTS, 'too dear']]) });
    expect(row(record, TPM)).toMatchObject({ state: 'not reached', note: `${RPS} refused before it did` });
    expect(reportOf(record, false).limits[1]).toMatchObject({
      limit: SLOTS,
      state: 'not driven',
      note: 'too dear',
    });
    expect(reportOf(record, false).verdict).toBe(
      'no limit was broken; 2 of 3 were not driven to their bound',
    );
  });

  it('counts slots from the first byte of an answer until a second before its last', () => {
    const stream = (fromMs: number, toMs: number) =>
      admitted(fromMs, { answeredMs: fromMs + 50, endedMs: toMs });
    const phase = { ask: 'stream' as const, limits: [SLOTS] };
    const two = [stream(0, 3_000), stream(0, 3_000), refused(100, SLOTS)];
    expect(row(run([{ ...phase, calls: two }]), SLOTS)).toMatchObject({
      state: 'held',
      through: 2,
      allowed: 2,
    });
    expect(row(run([{ ...phase, calls: [...two, stream(1_960, 4_000)] }]), SLOTS)?.state).toBe('held');
    expect(row(run([{ ...phase, calls: [...two, stream(1_900, 4_000)] }]), SLOTS)).toMatchObject({
      state: 'broken',
      worst: { fromMs: 1_950, toMs: 2_000, units: 3, over: 1 },
    });
    expect(row(run([{ ...phase, calls: [stream(0, 900), stream(0, 900)] }]), SLOTS)).toMatchObject({
      state: 'not reached',
      note: expect.stringContaining('too short'),
    });
  });

  it('compares what a day counted with what was let through', () => {
    const day = 'key:a/requests_per_day';
    const hourMs = 3_600_000;
    const left = (available: number, full_in_ms: number) =>
      listedAt(1_000, [perDay('requests', 100, { available, full_in_ms })]);
    const before = left(90, 5 * hourMs);
    const phases = [{ calls: Array.from({ length: 15 }, (_, i) => admitted(i)) }];
    const state = (after: ReturnType<typeof left>) => row(run(phases, { before, after }), day);
    expect(state(left(75, 5 * hourMs))?.state).toBe('counted');
    // Others may use the key too.
    expect(state(left(60, 5 * hourMs))?.state).toBe('counted');
    expect(state(left(76, 5 * hourMs))).toMatchObject({
      state: 'miscounted',
      note: 'only 14 of 15 were counted',
    });
    expect(reportOf(run(phases, { before, after: left(76, hourMs) }), false)).toMatchObject({
      exitCode: 1,
      verdict: `${day} was miscounted: only 14 of 15 were counted`,
    });
    expect(state(left(99, 24 * hourMs))?.note).toBe('a new day may have begun meanwhile');
  });

  it('is a no where refusals, told waits or instances are not right, though every limit held', () => {
    const calls = [...honest, refused(1_005, RPS, { problems: ['it has no x-nexus-limit'] })];
    const record = run([{ limits: [RPS], calls }], {
      waits: [{ calls: [], result: 'untrue', limit: RPS, waitMs: 90 }],
      disagreements: ['b does not see calls of a'],
      notes: ['b is degraded'],
    });
    const report = reportOf(record, false);
    expect(report).toMatchObject({
      exitCode: 1,
      verdict: `no limit was broken; ${RPS} told a wait of 90 ms and refused after it; the instances do not agree; refusals are not what clients expect`,
    });
    const text = reportText(report);
    expect(text).toContain('1 of 87 refusals: it has no x-nexus-limit.');
    expect(text).toContain(`by ${RPS} to wait 90 ms waited so long, and was refused again.`);
    expect(text).toContain('Disagreement: b does not see calls of a.\n');
    expect(text).toContain('b is degraded.\n');
  });

  it('is a no where nothing was let through', () => {
    const failed: Call = { ...admitted(0), outcome: 'other', why: 'HTTP 502' };
    const report = reportOf(run([{ calls: [failed, failed] }]), false);
    expect(report).toMatchObject({ exitCode: 1, verdict: 'nothing was let through, so nothing was proved' });
    expect(report.others).toEqual([{ what: 'HTTP 502', count: 2 }]);
  });

  it('is a plain yes where all held', () => {
    const before = listedAt(0, [perSecond(10, { size: 5 })]);
    expect(reportOf(run([{ limits: [RPS], calls: honest }], { before }), true)).toMatchObject({
      exitCode: 0,
      verdict: 'every limit held',
    });
  });
});
