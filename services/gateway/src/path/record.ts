import type { EndedRequest, Log, Metrics, RequestEnd } from '@nexus/observe';
import { formatUsd } from '@nexus/prices';
import type { Exchange } from './exchange.ts';

/** Where a request that has ended is recorded. */
export interface Records {
  readonly log: Log;
  readonly metrics: Metrics;
}

/** The last step, whatever happened: one log line, and the metrics. `endedMs`: when its answer ended. */
export function record(exchange: Exchange, { log, metrics }: Records, endedMs: number): void {
  const ended = endedRequest(exchange, endedMs);
  log.request(ended);
  metrics.request(ended);
}

function endedRequest(exchange: Exchange, endedMs: number): EndedRequest {
  const { decision, reading, refusal, startedMs, upstreamStartedMs, firstDataMs } = exchange;
  const denial = decision?.admitted === false ? decision : undefined;
  return {
    message: howItEnded(exchange),
    requestId: exchange.requestId,
    keyId: exchange.identity?.principal.keyId,
    team: exchange.identity?.principal.team?.name,
    customer: exchange.customer?.name,
    customerTier: exchange.customer?.tier,
    feature: exchange.feature,
    client: exchange.client,
    method: exchange.method,
    path: exchange.path,
    model: exchange.model,
    stream: reading?.stream ?? false,
    status: exchange.res.statusCode,
    upstream: exchange.attempt?.upstream.name,
    attempts: exchange.attempt?.number,
    upstreamStatus: exchange.upstreamStatus,
    upstreamRequestId: exchange.upstreamRequestId,
    degraded: decision?.degraded,
    decision: refusal ? 'denied' : decision ? 'admitted' : 'none',
    shadow: exchange.shadowed?.join(' '),
    limit: refusal?.limit,
    limitSize: denial?.refusal.size,
    used: denial?.refusal.used,
    requested: denial?.refusal.requested,
    retryAfterMs: denial?.retryAfterMs,
    errorCode: exchange.errorCode,
    error: exchange.cause,
    estimate: reading && {
      inputTokens: reading.inputTokens,
      outputTokens: exchange.reservedOutputTokens ?? 0,
    },
    usage: exchange.usage,
    costUsd: exchange.costNanoUsd === undefined ? undefined : formatUsd(exchange.costNanoUsd),
    durationMs: endedMs - startedMs,
    firstByteMs: exchange.firstByteMs,
    limiterMs: exchange.limiterMs,
    waitedMs: exchange.waitedMs,
    upstreamMs: upstreamStartedMs === undefined ? undefined : endedMs - upstreamStartedMs,
    bytesIn: exchange.bytesIn,
    bytesOut: exchange.bytesOut,
    kind: exchange.kind,
    tier: exchange.identity?.principal.tier,
    sent: exchange.sent,
    brokeOff: exchange.ending === 'upstream broke',
    upstreamStartMs: upstreamStartedMs === undefined ? undefined : upstreamStartedMs - startedMs,
    firstChunkMs: reading?.stream && firstDataMs !== undefined ? firstDataMs - startedMs : undefined,
    settlementMs: exchange.settlementMs,
    buckets: decision?.buckets,
    givenUp: exchange.givenUp,
  };
}

/** The fixed sentence of the line. */
function howItEnded({ refusal, ending, errorCode, upstreamStatus }: Exchange): RequestEnd {
  if (refusal) return 'request denied';
  if (ending === 'client left') return 'client left';
  const failed = ending === 'upstream broke' || errorCode !== undefined || (upstreamStatus ?? 0) >= 500;
  return failed ? 'request failed' : 'request completed';
}
