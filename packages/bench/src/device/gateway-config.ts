import { CLIENT_KEY } from '../load/requests.ts';

/** Far above what any measurement reaches: every limit is evaluated, none refuses. */
const AMPLE = 10_000_000;

const TOKENS = AMPLE * 1_000;

/** A configuration with a limit of every kind, for a key, its team, their customers and a model, two budgets in money among them: eleven buckets a call. */
export function gatewayConfig(upstreamPort: number, redisUrl?: string): string {
  return `listen_host: 127.0.0.1
target_url: http://127.0.0.1:${upstreamPort}
log_level: info
${redisUrl === undefined ? '' : `redis_url: ${redisUrl}\n`}keys:
  - id: bench
    key: ${CLIENT_KEY}
    upstream_key: sk-upstream-0123456789abcdefghijklmnopqrstuvwxyz
    team: bench
    limits:
      requests_per_second: ${AMPLE}
      requests_per_minute: ${AMPLE}
      model_tokens_per_minute: ${TOKENS}
      model_tokens_per_day: ${TOKENS}
      concurrent_requests: 100000
teams:
  bench:
    limits: { requests_per_minute: ${AMPLE}, model_tokens_per_minute: ${TOKENS}, usd_per_month: 1000000 }
    customers: { tier: customer }
tiers:
  customer: { requests_per_minute: ${AMPLE}, usd_per_day: 100000 }
models:
  "gpt-4o*":
    limits: { model_tokens_per_minute: ${TOKENS} }
`;
}
