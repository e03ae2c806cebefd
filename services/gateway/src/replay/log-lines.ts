import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** What a request line of the log says, as far as decisions are concerned. */
export interface LoggedRequest {
  readonly requestId: string;
  /** When it came and when its answer was over, in milliseconds since 1970. */
  readonly startMs: number;
  readonly endMs: number;
  readonly keyId: string | undefined;
  readonly team: string | undefined;
  readonly customer: string | undefined;
  readonly customerTier: string | undefined;
  readonly feature: string | undefined;
  readonly model: string | undefined;
  readonly path: string;
  readonly status: number;
  /** The upstream that was called last, where there are several. */
  readonly upstream: string | undefined;
  /** How many times it was sent, where there are several upstreams. */
  readonly attempts: number | undefined;
  readonly decision: 'admitted' | 'denied' | 'none';
  readonly limit: string | undefined;
  readonly limitSize: number | undefined;
  readonly used: number | undefined;
  readonly requested: number | undefined;
  readonly retryAfterMs: number | 'never' | undefined;
  readonly errorCode: string | undefined;
  readonly shadow: string | undefined;
  readonly estimatedInputTokens: number;
  readonly estimatedOutputTokens: number;
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  readonly cachedInputTokens: number;
  readonly reasoningTokens: number;
  /** US dollars, as `0.000123`. */
  readonly costUsd: string | undefined;
  /** Lines like this one that were left out before it. */
  readonly suppressed: number;
}

/**
 * Reads the request lines of a log, one JSON object a line; what else stands in it is passed over, journald's prefixes too.
 * @param file `-` is standard input
 */
export async function* readLog(file: string): AsyncGenerator<LoggedRequest> {
  const input: Readable = file === '-' ? process.stdin : createReadStream(file, 'utf8');
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    const request = parseLine(line);
    if (request) yield request;
  }
}

function parseLine(line: string): LoggedRequest | undefined {
  const begin = line.indexOf('{"time":');
  if (begin === -1) return undefined;
  let fields: unknown;
  try {
    fields = JSON.parse(line.slice(begin));
  } catch {
    return undefined;
  }
  if (typeof fields !== 'object' || fields === null) return undefined;
  const given = new Map<string, unknown>(Object.entries(fields));
  const text = (name: string) => {
    const value = given.get(name);
    return typeof value === 'string' ? value : undefined;
  };
  const number = (name: string) => {
    const value = given.get(name);
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
  };
  const requestId = text('request_id');
  const decision = text('decision');
  const endMs = Date.parse(text('time') ?? '');
  if (requestId === undefined || Number.isNaN(endMs)) return undefined;
  if (decision !== 'admitted' && decision !== 'denied' && decision !== 'none') return undefined;
  return {
    requestId,
    startMs: endMs - (number('duration_ms') ?? 0),
    endMs,
    keyId: text('key_id'),
    team: text('team'),
    customer: text('customer'),
    customerTier: text('customer_tier'),
    feature: text('feature'),
    model: text('model'),
    path: text('path') ?? '',
    status: number('status') ?? 0,
    upstream: text('upstream'),
    attempts: number('attempts'),
    decision,
    limit: text('limit'),
    limitSize: number('limit_size'),
    used: number('used'),
    requested: number('requested'),
    retryAfterMs: text('retry_after_ms') === 'never' ? 'never' : number('retry_after_ms'),
    errorCode: text('error_code'),
    shadow: text('shadow'),
    estimatedInputTokens: number('estimated_input_tokens') ?? 0,
    estimatedOutputTokens: number('estimated_output_tokens') ?? 0,
    inputTokens: number('input_tokens'),
    outputTokens: number('output_tokens'),
    cachedInputTokens: number('cached_input_tokens') ?? 0,
    reasoningTokens: number('reasoning_tokens') ?? 0,
    costUsd: text('cost_usd'),
    suppressed: number('suppressed') ?? 0,
  };
}
