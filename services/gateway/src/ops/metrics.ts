import type { Config } from '@nexus/config';
import type { Limiter } from '@nexus/domain';
import type { Ledger } from '@nexus/ledger';
import { InsuredLimiter } from '@nexus/limits';
import type { Metrics, PresentState } from '@nexus/observe';
import type { RequestHandler } from 'express';
import type { Turns } from '../path/turns.ts';
import type { Drain } from './drain.ts';
import type { InFlight } from './in-flight.ts';

interface PresentParts {
  readonly limiter: Limiter;
  readonly onRedisFailure: Config['onRedisFailure'];
  readonly inFlight: InFlight;
  readonly turns: Turns;
  readonly drain: Drain;
  readonly ledger?: Ledger | undefined;
}

/** What the parts say of themselves at this moment. */
export function presentState({
  limiter,
  onRedisFailure,
  inFlight,
  turns,
  drain,
  ledger,
}: PresentParts): PresentState {
  const { keeper, status, owners, reservations } = limiter.state();
  const degraded = status === 'degraded';
  const { sse, webSockets } = inFlight.streams();
  const shared = limiter instanceof InsuredLimiter ? limiter : undefined;
  const endings = shared?.endings();
  return {
    underWay: inFlight.size,
    waiting: turns.places,
    sseStreams: sse,
    webSockets,
    draining: drain.draining,
    limiter: {
      keeper,
      degraded,
      decides: degraded ? onRedisFailure : { rates: keeper, budgets: keeper },
      instances: shared?.instances().count ?? 1,
      owners,
      reservations,
      settlementsQueued: endings?.queued ?? 0,
      settlementsLost: endings?.lost ?? 0,
    },
    ledger: ledger && presence(ledger),
  };
}

function presence(ledger: Ledger): PresentState['ledger'] {
  const { status, waiting, lost } = ledger.state();
  return { degraded: status === 'degraded', waiting, lost };
}

/** Prometheus' text format. */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** `GET /metrics` on the admin address: for Prometheus. */
export function metricsPage(metrics: Metrics): RequestHandler {
  return async (_req, res) => {
    res.set('content-type', CONTENT_TYPE).send(await metrics.text());
  };
}
