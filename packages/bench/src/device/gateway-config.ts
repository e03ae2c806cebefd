import { CLIENT_KEY } from '../load/requests.ts';

/** Far above what any measurement reaches: every limit is evaluated, none refuses. */
const AMPLE = 10_000_000;

const LIMITS = `
    requests_per_second: ${AMPLE}
    requests_per_minute: ${AMPLE}
    model_tokens_per_minute: ${AMPLE * 1_000}
    model_tokens_per_day: ${AMPLE * 1_000}
    concurrent_requests: 100000`;

/** A configuration with a limit of every kind that one process can keep, for a key, a model and the gateway. */
export function gatewayConfig(upstreamPort: number, redisUrl?: string): string {
  return `listen_host: 127.0.0.1
target_url: http://127.0.0.1:${upstreamPort}
log_level: info
${redisUrl === undefined ? '' : `redis_url: ${redisUrl}\n`}keys:
  - id: bench
    key: ${CLIENT_KEY}
    upstream_key: sk-upstream-0123456789abcdefghijklmnopqrstuvwxyz
    limits:${LIMITS.replaceAll('\n', '\n  ')}
models:
  "gpt-4o*":
    limits: { model_tokens_per_minute: ${AMPLE * 1_000} }
gateway:
  limits:${LIMITS}
`;
}
