import { describe, expect, it } from 'vitest';
import { startWithSimulator } from '../running-gateway.ts';

/** Nano-dollars a token: ten dollars for a million in, twenty for a million out. */
const PRICE = { input: 10_000, output: 20_000 };
const CALLS = 200;

const settings = (reserve: 'strict' | 'learned') => `
reserve: ${reserve}
prices: { plain: { input_usd_per_million: 10, output_usd_per_million: 20 } }
tiers: { free: { usd_per_day: 0.03 } }
teams: { search: { limits: { usd_per_day: 0.2 }, customers: { tier: free } } }
keys:
  - { id: one, key: sk-one, team: search, limits: { usd_per_day: 0.08 } }
  - { id: two, key: sk-two, team: search }
`;

type Running = Awaited<ReturnType<typeof startWithSimulator>>;

/** Sends calls at once, for two keys of a team and forty customers; how many were let through. */
async function sendAtOnce(
  running: Running,
  body: (index: number) => Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<number> {
  const statuses = await Promise.all(
    Array.from({ length: CALLS }, async (_, index) => {
      const whose = {
        authorization: index % 2 === 0 ? 'Bearer sk-one' : 'Bearer sk-two',
        'x-nexus-customer': `c${index % 40}`,
      };
      const answer = await running.chat({ model: 'plain', ...body(index) }, { ...whose, ...headers });
      await answer.text();
      return answer.status;
    }),
  );
  expect(statuses.filter((status) => status !== 200 && status !== 429)).toEqual([]);
  return statuses.filter((status) => status === 200).length;
}

const servedNanoUsd = ({ simulator }: Running) =>
  simulator.usageServed().promptTokens * PRICE.input +
  simulator.usageServed().completionTokens * PRICE.output;

describe('200 calls at once at one process', () => {
  it('spend no more than their team has where all that they may cost is reserved', async () => {
    const running = await startWithSimulator(settings('strict'));
    // Some use less than they state.
    await sendAtOnce(
      running,
      (index) => ({ max_tokens: index % 3 === 0 ? 400 : 100, stream: index % 5 === 0 }),
      {
        'x-simulate-tokens': '100',
      },
    );
    expect(servedNanoUsd(running)).toBeLessThanOrEqual(200_000_000);
    await sendAtOnce(running, () => ({ max_tokens: 100 }), { 'x-simulate-tokens': '100' });
    expect(servedNanoUsd(running)).toBeLessThanOrEqual(200_000_000);
    // A call is some $0.002: less than one is left.
    expect(servedNanoUsd(running)).toBeGreaterThan(197_000_000);
  });

  it('spend no more also where none says how long its answer may be', async () => {
    const dear = settings('strict').replace(/(input|output)(_usd_per_million: )(\d+)/g, '$1$2$3000');
    const running = await startWithSimulator(dear.replace(/usd_per_day: [\d.]+/g, 'usd_per_day: 6000'));
    await sendAtOnce(running, () => ({}), { 'x-simulate-tokens': '3000', 'x-simulate-latency-ms': '500' });
    // Each answer is $60. The longest that there are, 128,000 tokens, would be $2,560 each.
    const spent = servedNanoUsd(running) * 1_000;
    expect(spent).toBeGreaterThan(0);
    expect(spent).toBeLessThanOrEqual(6_000e9);
  });

  it('spend beyond it no more than their answers were longer than what was learned', async () => {
    const running = await startWithSimulator(settings('learned'));
    const through = await sendAtOnce(running, () => ({}), {
      ...{ 'x-simulate-tokens': '3000', 'x-simulate-latency-ms': '500' },
    });
    // A thousand tokens are expected of a new key.
    expect(servedNanoUsd(running)).toBeLessThanOrEqual(200_000_000 + through * 2_000 * PRICE.output);
    expect(through * 1_000 * PRICE.output).toBeLessThanOrEqual(200_000_000);
  });
});
