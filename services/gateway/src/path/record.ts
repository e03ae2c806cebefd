import type { Log, RequestEnd } from '@nexus/observe';
import type { Exchange } from './exchange.ts';

/** The last step, whatever happened: one log line. */
export function record(exchange: Exchange, log: Log, nowMs: number): void {
  const { decision, reading, refusal, upstreamStartedMs } = exchange;
  const denial = decision?.admitted === false ? decision : undefined;
  log.request({
    message: howItEnded(exchange),
    requestId: exchange.requestId,
    keyId: exchange.identity?.principal.keyId,
    team: exchange.identity?.principal.team?.name,
    customer: exchange.customer?.name,
    feature: exchange.feature,
    client: exchange.client,
    method: exchange.method,
    path: exchange.path,
    model: reading?.model,
    stream: reading?.stream ?? false,
    status: exchange.res.statusCode,
    upstreamStatus: exchange.upstreamStatus,
    upstreamRequestId: exchange.upstreamRequestId,
    degraded: decision?.degraded,
    decision: refusal ? 'denied' : decision ? 'admitted' : 'none',
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
    durationMs: nowMs - exchange.startedMs,
    firstByteMs: exchange.firstByteMs,
    limiterMs: exchange.limiterMs,
    waitedMs: exchange.waitedMs,
    upstreamMs: upstreamStartedMs === undefined ? undefined : nowMs - upstreamStartedMs,
    bytesIn: exchange.bytesIn,
    bytesOut: exchange.bytesOut,
  });
}

/** The fixed sentence of the line. */
function howItEnded({ refusal, ending, errorCode, upstreamStatus }: Exchange): RequestEnd {
  if (refusal) return 'request denied';
  if (ending === 'client left') return 'client left';
  const failed = ending === 'upstream broke' || errorCode !== undefined || (upstreamStatus ?? 0) >= 500;
  return failed ? 'request failed' : 'request completed';
}
