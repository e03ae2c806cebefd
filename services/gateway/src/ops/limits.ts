import type { Config, Principals } from '@nexus/config';
import { GatewayError, type Limiter } from '@nexus/domain';
import type { RequestHandler } from 'express';
import type { ChangedBudgets } from '../budgets/changed-budgets.ts';
import { fail } from '../handle.ts';
import { type Arrival, arrive } from '../path/arrive.ts';
import { customerOf } from '../path/attribute.ts';
import { identify } from '../path/identify.ts';
import { ownersOf } from '../path/owners.ts';
import { shownBucket } from './shown-limits.ts';

interface LimitsParts extends Arrival {
  readonly principals: Principals;
  readonly limiter: Limiter;
  readonly config: Config;
  readonly budgets: ChangedBudgets;
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
          key: principal.limits,
          team: principal.team,
          customer: typeof customer === 'string' ? customerOf(customer, req.headers, principal) : undefined,
          feature: typeof feature === 'string' ? feature : undefined,
          model: typeof model === 'string' ? model : undefined,
        },
        parts.config,
        parts.budgets,
      );
      const buckets = await parts.limiter.peek(owners).catch((cause: unknown) => {
        throw new GatewayError('limiter_unavailable', { cause });
      });
      const ceilings = owners.flatMap(({ owner, sizes }) =>
        sizes.map(({ name, amount }) => ({ limit: `${owner}/${name}`, amount })),
      );
      res.set({ 'x-request-id': exchange.requestId, 'request-id': exchange.requestId });
      res.json({ key: principal.keyId, buckets: buckets.map(shownBucket), ceilings });
    } catch (error) {
      fail(exchange, error);
    }
  };
}
