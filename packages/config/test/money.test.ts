import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { describeLimits } from '../src/index.ts';
import { loadText, problemLines, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();
const load = (text: string) => loadText(folder, `target_url: http://x\n${text}`).config;

describe('a budget', () => {
  it('is read exactly, in nano-dollars', () => {
    const { keyLimits } = load('limits: { usd_per_day: 0.1, usd_per_month: "1000.000000001" }');
    expect(keyLimits.buckets).toMatchObject([
      { name: 'usd_per_day', kind: 'calendar', counts: 'usd', period: 'day', amount: 100_000_000 },
      { name: 'usd_per_month', period: 'month', amount: 1_000_000_000_001 },
    ]);
  });

  it.each([
    ['0.0000005', 500],
    ['0.000000001', 1],
    ['0', 0],
    ['1e-7', 100],
    ['9.99e-7', 999],
  ])('may be smaller than a millionth: %s', (written, amount) => {
    expect(load(`limits: { usd_per_day: ${written} }`).keyLimits.buckets).toMatchObject([{ amount }]);
  });

  it('tells at 50, 80 and 100 per cent, unless it says where', () => {
    const text =
      'limits: { usd_per_day: 5, usd_per_month: { limit: 9, alert_at: [90%, 10%, 90%] }, requests_per_day: { limit: 5, alert_at: [100%] }, requests_per_month: 7 }';
    const alertAt = new Map(
      load(text).keyLimits.buckets.map((limit) => [
        limit.name,
        'alertAt' in limit ? limit.alertAt : undefined,
      ]),
    );
    expect(Object.fromEntries(alertAt)).toEqual({
      usd_per_day: [50, 80, 100],
      usd_per_month: [10, 90],
      requests_per_day: [100],
      requests_per_month: undefined,
    });
  });

  it('is shown in dollars', () => {
    expect(describeLimits(load('limits: { usd_per_month: 1250.5 }'))).toEqual([
      'each API key: $1,250.5 per month (UTC)',
    ]);
  });
});

describe('prices', () => {
  it('are read one by one, and several for a model by their dates', () => {
    const { prices } = load(
      'prices: { a: { input_usd_per_million: 0.075, usd_per_call: 1 }, "b*": [{ same_as: gpt-4o }, { from: 2026-11-01, output_usd_per_million: "1.5" }] }',
    );
    expect(prices).toEqual([
      { model: 'a', inputUsdPerMillion: 0.075, usdPerCall: 1 },
      { model: 'b*', sameAs: 'gpt-4o' },
      { model: 'b*', from: '2026-11-01', outputUsdPerMillion: 1.5 },
    ]);
  });

  it('of unknown models are nothing, unless it is said', () => {
    expect(load('').unknownModel).toBe('tokens_only');
    expect(load('unknown_model: assume:gpt-4o').unknownModel).toBe('assume:gpt-4o');
  });
});

describe('alerts', () => {
  it('go to an address that is never shown, nor is what signs them', () => {
    const { alerts, ...rest } = load(
      'alerts: { webhook: "https://hooks/hidden", secret: hidden2, format: slack }',
    );
    expect([alerts?.webhook, alerts?.secret, alerts?.format]).toEqual([
      'https://hooks/hidden',
      'hidden2',
      'slack',
    ]);
    expect(
      inspect({ alerts, ...rest }, { depth: 20, showHidden: true }) + JSON.stringify(alerts),
    ).not.toContain('hidden');
  });
});

describe('money that makes no sense', () => {
  it.each([
    [
      'limits: { usd_per_day: -1 }',
      '`limits.usd_per_day` is no amount of US dollars; write such as 50 or 0.25',
    ],
    ['limits: { usd_per_day: 5000000 }', '`limits.usd_per_day` is too large; write at most 4503599'],
    ['limits: { usd_per_day: 0.0000000001 }', '`limits.usd_per_day` is no amount of US dollars'],
    ['limits: { usd_per_day: $5 }', '`limits.usd_per_day` is no amount of US dollars'],
    ['limits: { usd_per_hour: 5 }', 'unknown setting `limits.usd_per_hour`'],
    [
      'limits: { usd_per_day: { limit: 5, alert_at: 50% } }',
      '`limits.usd_per_day.alert_at` is not a list; write such as [50%',
    ],
    ['limits: { usd_per_day: { limit: 5, alert_at: [0%] } }', 'holds something else than per cent'],
    [
      'limits: { requests_per_second: { limit: 5, alert_at: [50%] } }',
      'stands at a limit that is no day’s or month’s',
    ],
    ['limits: { usd_per_day: { limit: 5, burst: 5 } }', 'stands at a limit that has none'],
    ['prices: { a: { input: 5 } }', 'unknown setting `prices["a"].input`'],
    [
      'prices: { a: [{ input_usd_per_million: x }] }',
      '`prices["a"][0].input_usd_per_million` is no amount of US dollars',
    ],
    ['prices: { a: { from: 2026-13-01 } }', '`prices["a"].from` is not a day; write such as 2026-11-01'],
    ['prices: { a: 5 }', '`prices["a"]` is not a mapping'],
    ['unknown_model: maybe', '`unknown_model` is none of its choices'],
    ['alerts: { webhook: hooks }', '`alerts.webhook` is no URL of http or https'],
    ['alerts: { format: json }', '`alerts` has no `webhook`'],
    [
      'alerts: { webhook: "https://x", format: xml }',
      '`alerts.format` is none of its choices; write json or slack',
    ],
  ])('%s is refused, with what would be right', (text, expected) => {
    expect(problemLines(folder, `target_url: http://x\n${text}`).join('\n')).toContain(expected);
  });
});
