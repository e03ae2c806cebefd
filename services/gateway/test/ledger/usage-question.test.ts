import type { Team } from '@nexus/domain';
import { describe, expect, it } from 'vitest';
import { usageQuestion } from '../../src/ledger/usage-question.ts';

const TEAM: Team = { name: 'search', features: new Map() };
const WITH_TEAMS = { timeZone: 'UTC', teams: new Map([['search', TEAM]]) };
const WITHOUT = { timeZone: 'UTC', teams: new Map() };
const NOW_MS = Date.parse('2026-11-03T23:30:00Z');

describe('what a report is asked for', () => {
  it('is the month so far, by team or by key', async () => {
    const month = { since: '2026-11-01', until: '2026-11-03' };
    expect(await usageQuestion({}, WITH_TEAMS, NOW_MS)).toEqual({ query: { ...month, by: ['team'] } });
    expect(await usageQuestion({}, WITHOUT, NOW_MS)).toEqual({ query: { ...month, by: ['key'] } });
  });

  it('has the days of the configuration’s time zone', async () => {
    const berlin = { ...WITHOUT, timeZone: 'Europe/Berlin' };
    expect(await usageQuestion({}, berlin, NOW_MS)).toMatchObject({ query: { until: '2026-11-04' } });
  });

  it('is a whole month, or any days, by anything in any order', async () => {
    expect(await usageQuestion({ month: '2026-02', by: 'month, team' }, WITHOUT, NOW_MS)).toEqual({
      query: { since: '2026-02-01', until: '2026-02-28', by: ['month', 'team'] },
    });
    expect(await usageQuestion({ since: '2026-10-30', by: '' }, WITHOUT, NOW_MS)).toEqual({
      query: { since: '2026-10-30', until: '2026-11-03', by: [] },
    });
    expect(await usageQuestion({ since: '2027-01-01' }, WITHOUT, NOW_MS)).toMatchObject({
      query: { since: '2027-01-01', until: '2027-01-01' },
    });
  });

  it.each([
    [{ by: 'x' }, /^by is a list of day, month, team/],
    [{ by: 'team,team' }, /twice/],
    [{ by: 'team,' }, /^by/],
    [{ by: '__proto__' }, /^by/],
    [{ since: '1.11.2026' }, /^since is a day/],
    [{ since: '2026-02-30' }, /^since is a day/],
    [{ until: 'today' }, /^until is a day/],
    [{ until: '2026-10-31' }, /before since/],
    [{ month: '11/2026' }, /^month is such as/],
    [{ month: '2026-11', since: '2026-11-01' }, /^month stands alone/],
    [{ since: '0001-01-01' }, /more than 2000 days/],
  ])('%j is refused', async (asked, wrong) => {
    expect(await usageQuestion(asked, WITHOUT, NOW_MS)).toEqual({ wrong: expect.stringMatching(wrong) });
  });
});
