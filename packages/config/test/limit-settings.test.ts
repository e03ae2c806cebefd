import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMIT_KINDS, readLimit } from '../src/limit-settings.ts';
import { loadText, problemLines, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();
const limitsOf = (text: string) => loadText(folder, `limits: ${text}`).config.keyLimits;
const problems = (text: string) => problemLines(folder, `limits: ${text}`).join('\n');

describe('a limit', () => {
  it('per second, minute and hour is a bucket whose burst is its own number', () => {
    for (const [period, periodMs] of [
      ['second', 1_000],
      ['minute', 60_000],
      ['hour', 3_600_000],
    ] as const) {
      for (const counts of ['requests', 'model_tokens', 'input_tokens', 'output_tokens'] as const) {
        const name = `${counts}_per_${period}`;
        expect(limitsOf(`{ ${name}: 7 }`).buckets).toEqual([
          { kind: 'rate', name, counts, periodMs, amount: 7, burst: 7 },
        ]);
      }
    }
  });

  it('per day and month is an amount of the calendar in the time zone', () => {
    const { config } = loadText(
      folder,
      'limits: { model_tokens_per_day: 9, requests_per_month: { limit: 8 } }\ntime_zone: Asia/Tokyo',
    );
    const timeZone = 'Asia/Tokyo';
    expect(config.keyLimits.buckets).toEqual([
      {
        kind: 'calendar',
        name: 'requests_per_month',
        counts: 'requests',
        period: 'month',
        amount: 8,
        timeZone,
      },
      {
        kind: 'calendar',
        name: 'model_tokens_per_day',
        counts: 'model_tokens',
        period: 'day',
        amount: 9,
        timeZone,
      },
    ]);
  });

  it('of slots and of sizes has its own kind', () => {
    expect(
      limitsOf('{ concurrent_requests: 3, max_request_tokens: { limit: 4 }, max_output_tokens: 0 }'),
    ).toEqual({
      buckets: [{ kind: 'concurrency', name: 'concurrent_requests', slots: 3 }],
      sizes: [
        { kind: 'size', name: 'max_request_tokens', amount: 4 },
        { kind: 'size', name: 'max_output_tokens', amount: 0 },
      ],
    });
  });

  it('of 0 refuses everything, burst included', () => {
    expect(limitsOf('{ requests_per_second: 0 }').buckets).toMatchObject([{ amount: 0, burst: 0 }]);
    expect(limitsOf('{ requests_per_second: { limit: 0, burst: 0 } }').buckets).toMatchObject([
      { amount: 0, burst: 0 },
    ]);
    expect(limitsOf('{ requests_per_day: 0, concurrent_requests: 0 }').buckets).toMatchObject([
      { amount: 0 },
      { slots: 0 },
    ]);
    expect(problems('{ requests_per_second: { limit: 0, burst: 5 } }')).toContain(
      'stands beside a limit of 0',
    );
    expect(problems('{ requests_per_second: 0, burst: 5 }')).toContain('stands beside a limit of 0');
  });

  it('that is absent does not limit', () => {
    expect(limitsOf('{}')).toEqual({ buckets: [], sizes: [] });
  });

  it('stays below 2^52 grains, and says the most that it may be', () => {
    for (const [name, { kind }] of LIMIT_KINDS) {
      const found = problems(`{ ${name}: 4503599627370496 }`);
      const most = Number(/write at most (\d+)/.exec(found)?.[1]);
      expect(found, name).toContain('is too large');
      expect(limitsOf(`{ ${name}: ${most} }`), name).toBeDefined();
      expect(problems(`{ ${name}: ${most + 1} }`), name).toContain('is too large');
      if (kind !== 'rate' && !name.startsWith('usd')) expect(most).toBe(2 ** 52 - 1);
    }
    expect(problems('{ requests_per_hour: { limit: 1, burst: 1250999897 } }')).toContain(
      'requests_per_hour.burst` is too large',
    );
  });

  it.each([
    ['0.5', 'write requests_per_minute: 30'],
    ['1.5', 'write requests_per_minute: 90'],
    ['0.7', 'write requests_per_minute: 42'],
    ['0.0125', 'write requests_per_hour: 45'],
    ['0.00001', 'write requests_per_second: 1'],
    ['"2.5"', 'write requests_per_minute: 150'],
    ['-3', 'is negative'],
    ['.nan', 'is not a number'],
    ['.inf', 'is not a number'],
    ['-.inf', 'is negative'],
    ['1e99', 'is too large'],
    ['50_000', 'write requests_per_second: 50000'],
    ['50k', 'write requests_per_second: 50000'],
    ['"50,000"', 'write requests_per_second: 50000'],
    ['"-1"', 'is not a whole number'],
    ['true', 'is not a whole number'],
    ['[1]', 'is not a whole number'],
    ['{}', 'has no `limit`'],
    ['{ burst: 3 }', 'has no `limit`'],
    ['{ limit: x }', 'is not a whole number'],
    ['{ limit: }', 'has no value'],
    ['{ limit: 1, burst: 0 }', 'requests_per_second.burst` is 0, which would refuse everything'],
    ['{ limit: 1, burst: 1.5 }', 'requests_per_second.burst` is not a whole number'],
    ['{ limit: 1, busrt: 2 }', 'requests_per_second.busrt` is unknown; did you mean `burst`?'],
    ['{ limit: 1, sk-secret: 2 }', '`limits.requests_per_second` holds an unknown name'],
    ['unlimited', 'has no default that `unlimited` could lift'],
  ])('of %s is a problem with a remedy', (value, expected) => {
    const found = problems(`{ requests_per_second: ${value} }`);
    expect(found).toContain(expected);
    expect(found.split('\n')).toHaveLength(1);
    expect(found).not.toContain('sk-secret');
  });

  it('without a burst of its kind refuses one', () => {
    for (const name of [
      'requests_per_day',
      'model_tokens_per_month',
      'concurrent_requests',
      'max_output_tokens',
    ]) {
      expect(problems(`{ ${name}: { limit: 1, burst: 1 } }`)).toContain(
        `\`limits.${name}.burst\` stands at a limit that has none`,
      );
    }
  });
});

describe('a burst beside the limits', () => {
  it('belongs to requests_per_second, whichever comes first', () => {
    expect(limitsOf('{ burst: 20, requests_per_second: 10, requests_per_minute: 60 }').buckets).toMatchObject(
      [
        { amount: 10, burst: 20 },
        { amount: 60, burst: 60 },
      ],
    );
    expect(limitsOf('{ burst: 20, requests_per_second: { limit: 10 } }').buckets).toMatchObject([
      { burst: 20 },
    ]);
  });

  it.each([
    ['{ burst: 20 }', 'belongs to `requests_per_second`, which is not in the same mapping'],
    ['{ burst: 20, requests_per_minute: 5 }', 'belongs to `requests_per_second`'],
    ['{ burst: 20, requests_per_second: { limit: 1, burst: 2 } }', 'is given twice'],
    ['{ burst: 0, requests_per_second: 1 }', '`limits.burst` is 0'],
    ['{ burst: -1, requests_per_second: 1 }', '`limits.burst` is not a whole number'],
    ['{ burst: 0.5, requests_per_second: 1 }', '`limits.burst` is not a whole number'],
    ['{ burst: [2], requests_per_second: 1 }', '`limits.burst` is not a whole number'],
    ['{ burst: , requests_per_second: 1 }', '`limits.burst` has no value'],
    ['{ burst: 1e15, requests_per_second: 1 }', '`limits.burst` is too large; write at most 4503599627370'],
  ])('%s is a problem', (text, expected) => {
    expect(problems(text)).toContain(expected);
    expect(problems(text).split('\n')).toHaveLength(1);
  });

  it('is said where it stands: in the gateway, a model, a key', () => {
    expect(problemLines(folder, 'gateway:\n  limits:\n    burst: 3\n')).toEqual([
      expect.stringContaining('3: `gateway.limits.burst`'),
    ]);
    expect(problemLines(folder, 'models:\n  m:\n    limits:\n      burst: 3\n')).toEqual([
      expect.stringContaining('4: `models["m"].limits.burst`'),
    ]);
    expect(
      problemLines(
        folder,
        'limits: { requests_per_second: 1 }\nkeys:\n  - id: a\n    key: b\n    limits:\n      burst: 3\n',
      ),
    ).toEqual([expect.stringContaining('6: `keys[0].limits.burst`')]);
  });
});

it('Whatever is read as a rate is whole, below 2^52 grains, and refuses everything or nothing', () => {
  const anything = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.string(),
    fc.nat({ max: 2 ** 31 - 1 }),
    fc.constant(undefined),
    fc.boolean(),
  );
  fc.assert(
    fc.property(fc.constantFrom(...LIMIT_KINDS.keys()), anything, anything, (name, limit, burst) => {
      const value = burst === undefined ? limit : { limit, burst };
      const read = readLimit(name, value, { timeZone: 'UTC' });
      if (!read.ok) {
        expect(read.findings.length).toBeGreaterThan(0);
      } else if (read.limit !== 'unlimited' && read.limit.kind === 'rate') {
        const { amount, burst: size, periodMs } = read.limit;
        expect(Number.isSafeInteger(amount) && amount >= 0 && amount < 2 ** 52).toBe(true);
        expect(Number.isSafeInteger(size) && size >= 0 && size * periodMs < 2 ** 52).toBe(true);
        expect(size === 0).toBe(amount === 0);
      }
    }),
    { numRuns: 5_000 },
  );
});
