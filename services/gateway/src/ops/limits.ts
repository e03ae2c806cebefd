import type { Config, Principals } from '@nexus/config';
import {
  type BucketLimit,
  type BucketView,
  GatewayError,
  type Limiter,
  type OwnerLimits,
} from '@nexus/domain';
import type { RequestHandler } from 'express';
import { fail } from '../handle.ts';
import { type Arrival, arrive } from '../path/arrive.ts';
import { identify } from '../path/identify.ts';

/** A bucket as `GET /nexus/limits` shows it. */
function shown({ owner, limit, size, available, untilFullMs }: BucketView): Record<string, string | number> {
  return {
    limit: `${owner}/${limit.name}`,
    ...rule(limit),
    size,
    available,
    used: size - available,
    full_in_ms: untilFullMs,
  };
}

/** What the bucket counts, and how it fills: what a client needs to know to compare it with what was let through. */
function rule(limit: BucketLimit): Record<string, string | number> {
  const { kind } = limit;
  if (kind === 'concurrency') return { kind };
  const { counts, amount } = limit;
  if (kind === 'rate') return { kind, counts, amount, period_ms: limit.periodMs };
  return { kind, counts, amount, period: limit.period, time_zone: limit.timeZone };
}

interface LimitsParts extends Arrival {
  readonly principals: Principals;
  readonly limiter: Limiter;
  readonly config: Config;
}

/** Everyone that a call of this key is charged to; of the models' limits those of the model that `?model=` names. */
function ownersOf(key: OwnerLimits, model: unknown, { models, gateway }: Config): OwnerLimits[] {
  const owners = [key];
  if (typeof model === 'string')
    for (const entry of models) if (entry.matches(model)) owners.push(entry.limits);
  if (gateway) owners.push(gateway);
  return owners;
}

/**
 * `GET /nexus/limits`: a key sees its own buckets and the gateway's, and with `?model=gpt-4o` those of the model too;
 * asking takes nothing.
 */
export function limits(parts: LimitsParts): RequestHandler {
  return async (req, res) => {
    const exchange = arrive(req, res, parts);
    try {
      const { principal } = identify(req.headers, parts.principals);
      const owners = ownersOf(principal.limits, req.query.model, parts.config);
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
