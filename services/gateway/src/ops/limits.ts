import type { Config, Principals } from '@nexus/config';
import { type BucketView, GatewayError, type Limiter } from '@nexus/domain';
import type { RequestHandler } from 'express';
import { fail } from '../handle.ts';
import { type Arrival, arrive } from '../path/arrive.ts';
import { identify } from '../path/identify.ts';

/** A bucket as `GET /nexus/limits` shows it. */
function shown({ owner, limit, size, available, untilFullMs }: BucketView): Record<string, string | number> {
  return {
    limit: `${owner}/${limit.name}`,
    size,
    available,
    used: size - available,
    full_in_ms: untilFullMs,
  };
}

interface LimitsParts extends Arrival {
  readonly principals: Principals;
  readonly limiter: Limiter;
  readonly config: Config;
}

/** `GET /nexus/limits`: a key sees its own buckets and the gateway's; asking takes nothing. */
export function limits(parts: LimitsParts): RequestHandler {
  return async (req, res) => {
    const exchange = arrive(req, res, parts);
    try {
      const { principal } = identify(req.headers, parts.principals);
      const owners = [principal.limits, ...(parts.config.gateway ? [parts.config.gateway] : [])];
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
