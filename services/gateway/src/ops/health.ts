import type { Limiter } from '@nexus/domain';
import type { Ledger } from '@nexus/ledger';
import type { RequestHandler } from 'express';
import type { Keys } from '../keys/open-keys.ts';
import type { Drain } from './drain.ts';
import type { InFlight } from './in-flight.ts';
import type { LiveConfig } from './live-config.ts';

export interface HealthParts {
  readonly version: string;
  readonly limiter: Limiter;
  readonly inFlight: InFlight;
  readonly drain: Drain;
  readonly live: LiveConfig;
  readonly keys: Keys;
  /** Absent: nobody keeps records. */
  readonly ledger: Ledger | undefined;
  readonly nowMs: () => number;
}

/** What both health pages say. */
function condition({ version, limiter, drain, nowMs }: HealthParts, startedMs: number) {
  return {
    status: drain.draining ? 'draining' : limiter.state().status,
    version,
    uptime_seconds: Math.floor((nowMs() - startedMs) / 1000),
  };
}

/** `GET /health`: alive. 200 as long as the process answers, also while it drains. */
export function health(parts: HealthParts): RequestHandler {
  const startedMs = parts.nowMs();
  return (_req, res) => {
    const { keeper, status } = parts.limiter.state();
    res.json({
      ...condition(parts, startedMs),
      limiter: { keeper, status },
      config: { status: parts.live.state.status },
      issued_keys: { status: parts.keys.issued.state().status },
      ...(parts.ledger === undefined ? {} : { ledger: { status: ledgerStatus(parts.ledger) } }),
    });
  };
}

/** `GET /health` on the admin address: the same, and how much is under way. */
export function healthInside(parts: HealthParts): RequestHandler {
  const startedMs = parts.nowMs();
  return (_req, res) => {
    const limiter = parts.limiter.state();
    const config = parts.live.state;
    const { status, keys, ageMs } = parts.keys.issued.state();
    const issuedKeys = { status, keys, ...(ageMs === undefined ? {} : { age_ms: Math.round(ageMs) }) };
    res.json({
      ...condition(parts, startedMs),
      limiter,
      config,
      issued_keys: issuedKeys,
      ...(parts.ledger === undefined ? {} : { ledger: ledgerInside(parts.ledger) }),
      requests_in_flight: parts.inFlight.size,
    });
  };
}

/** `behind`: records wait, since they can't be kept. `full`: so many that nothing is begun that is charged to a budget. */
function ledgerStatus(ledger: Ledger): 'ok' | 'behind' | 'full' {
  if (ledger.isFull) return 'full';
  return ledger.state().status === 'ok' ? 'ok' : 'behind';
}

function ledgerInside(ledger: Ledger): object {
  const { waiting, lost } = ledger.state();
  return { status: ledgerStatus(ledger), waiting, lost };
}

/** `GET /ready`: whether new requests should come here. 503 while draining. */
export function ready({ drain }: HealthParts): RequestHandler {
  return (_req, res) => {
    if (drain.draining) res.set('connection', 'close');
    res.status(drain.draining ? 503 : 200).json({ ready: !drain.draining });
  };
}
