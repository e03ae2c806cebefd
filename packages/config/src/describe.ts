import type { Counted, Limit } from '@nexus/domain';
import type { Config } from './config.ts';
import type { LimitSet } from './owner-limits.ts';

const NOUNS: Readonly<Record<Counted, string>> = {
  requests: 'requests',
  model_tokens: 'tokens',
  input_tokens: 'input tokens',
  output_tokens: 'output tokens',
  usd: 'US dollars',
};
const PERIODS = new Map([
  [1_000, 'second'],
  [60_000, 'minute'],
  [3_600_000, 'hour'],
]);

const NANO_PER_USD = 1e9;

/** More keys or models than this are counted, not listed. */
const MOST_LINES = 10;

/** `50,000 tokens per minute`: one limit for people to read. */
function describeLimit(limit: Limit): string {
  const count = (amount: number, noun: string) =>
    `${amount.toLocaleString('en-US')} ${amount === 1 ? noun.replace(/s$/, '') : noun}`;
  switch (limit.kind) {
    case 'rate': {
      const burst = limit.burst === limit.amount ? '' : ` (burst ${limit.burst.toLocaleString('en-US')})`;
      return `${count(limit.amount, NOUNS[limit.counts])} per ${PERIODS.get(limit.periodMs)}${burst}`;
    }
    case 'calendar':
      return limit.counts === 'usd'
        ? `$${(limit.amount / NANO_PER_USD).toLocaleString('en-US')} per ${limit.period} (${limit.timeZone})`
        : `${count(limit.amount, NOUNS[limit.counts])} per ${limit.period} (${limit.timeZone})`;
    case 'concurrency':
      return `${count(limit.slots, 'requests')} at once`;
    case 'size':
      return `at most ${count(limit.amount, limit.name === 'max_output_tokens' ? 'output tokens' : 'tokens')} a request`;
  }
}

/** `10 requests per second (burst 20) · 50,000 tokens per minute`; `no limits` where there are none. */
export function describeLimitSet({ buckets, sizes }: LimitSet): string {
  const limits: readonly Limit[] = [...buckets, ...sizes];
  return limits.length === 0 ? 'no limits' : limits.map(describeLimit).join(' · ');
}

/** One line for the limits of each key, then one for each owner with limits of its own, for the banner. */
export function describeLimits(config: Config): string[] {
  const lines = [`each API key: ${describeLimitSet(config.keyLimits)}`];
  const own = config.keys.filter(({ hasOwnLimits }) => hasOwnLimits);
  for (const { id, limits } of own.slice(0, MOST_LINES)) lines.push(`key ${id}: ${describeLimitSet(limits)}`);
  if (own.length > MOST_LINES)
    lines.push(`and ${own.length - MOST_LINES} more keys with limits of their own`);
  const teams = [...config.teams.values()];
  for (const { name, limits } of teams.slice(0, MOST_LINES))
    if (limits) lines.push(`team ${name}, all keys: ${describeLimitSet(limits)}`);
  if (teams.length > MOST_LINES) lines.push(`and ${teams.length - MOST_LINES} more teams`);
  for (const { pattern, limits } of config.models.slice(0, MOST_LINES)) {
    lines.push(`model ${pattern}, all keys: ${describeLimitSet(limits)}`);
  }
  if (config.models.length > MOST_LINES) lines.push(`and ${config.models.length - MOST_LINES} more models`);
  if (config.gateway !== undefined) lines.push(`all traffic: ${describeLimitSet(config.gateway)}`);
  return lines;
}
