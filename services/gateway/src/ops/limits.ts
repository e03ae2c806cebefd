import type { Config, Principals } from '@nexus/config';
import { type BucketLimit, type BucketView, GatewayError, type Limiter } from '@nexus/domain';
import { formatUsd } from '@nexus/prices';
import type { RequestHandler } from 'express';
import { fail } from '../handle.ts';
import { type Arrival, arrive } from '../path/arrive.ts';
import { identify } from '../path/identify.ts';
import { ownersOf } from '../path/owners.ts';

/** A bucket as `GET /nexus/limits` shows it. */
function shown({ owner, limit, size, available, untilFullMs }: BucketView): Record<string, string | number> {
  return {
    limit: `${owner}/${limit.name}`,
    ...rule(limit),
    size: shownUnits(limit, size),
    available: shownUnits(limit, available),
    used: shownUnits(limit, size - available),
    full_in_ms: untilFullMs,
  };
}

/** Money in dollars, everything else in its own units. */
function shownUnits(limit: BucketLimit, units: number): number {
  return limit.kind !== 'concurrency' && limit.counts === 'usd' ? Number(formatUsd(units)) : units;
}

/** What the bucket counts, and how it fills: what a client needs to know to compare it with what was let through. */
function rule(limit: BucketLimit): Record<string, string | number> {
  const { kind } = limit;
  if (kind === 'concurrency') return { kind };
  const { counts } = limit;
  const amount = shownUnits(limit, limit.amount);
  if (kind === 'rate') return { kind, counts, amount, period_ms: limit.periodMs };
  return { kind, counts, amount, period: limit.period, time_zone: limit.timeZone };
}

interface LimitsParts extends Arrival {
  readonly principals: Principals;
  readonly limiter: Limiter;
  readonly config: Config;
}

/**
 * `GET /nexus/limits`: a key sees its own buckets, its team's and the gateway's, and with `?model=`, `?customer=` or `?feature=` those of that
 * model, customer or feature too; asking takes nothing.
 */
export function limits(parts: LimitsParts): RequestHandler {
  return async (req, res) => {
    const exchange = arrive(req, res, parts);
    try {
      const { principal } = identify(req.headers, parts.principals);
      const { customer, feature, model } = req.query;
      const owners = ownersOf(
        {
          principal,
          customer: typeof customer === 'string' ? principal.team?.customers?.find(customer) : undefined,
          feature: typeof feature === 'string' ? feature : undefined,
          model: typeof model === 'string' ? model : undefined,
        },
        parts.config,
      );
      const buckets = await parts.limiter.peek(owners).catch((cause: unknown) => {
        throw new GatewayError('limiter_unavailable', { cause });
      });
      const ceilings = owners.flatMap(({ owner, sizes }) =>
        sizes.map(({ name, amount }) => ({ limit: `${owner}/${name}`, amount })),
      );
      res.set({ 'x-request-id': exchange.requestId, 'request-id': exchange.requestId });
      res.json({ key: principal.keyId, buckets: buckets.map(shown), ceilings });
    } catch (error) {
      fail(exchange, error);
    }
  };
}
