import { z } from 'zod';
import { FORMATS, type JsonSchema } from './formats.ts';
import { LIMIT_KINDS, type LimitKind, readLimit } from './limit-settings.ts';
import { BROKEN } from './problems.ts';
import { leaf } from './shape-leaves.ts';

const WHOLE: JsonSchema = {
  anyOf: [
    { type: 'integer', minimum: 0 },
    { type: 'string', pattern: String.raw`^(\d+|.*\$\{.*)$` },
  ],
};

const limitShape = (name: string, kind: LimitKind['kind'], canLift: boolean) =>
  z
    .unknown()
    .superRefine((value, context) => {
      if (value === BROKEN) return;
      const read = readLimit(name, value, { timeZone: 'UTC' });
      if (read.ok) return;
      for (const { wrong, remedy, at } of read.findings) {
        context.addIssue({
          code: 'custom',
          message: wrong,
          params: { remedy },
          path: at === undefined ? [] : [at],
        });
      }
    })
    .meta({
      anyOf: [
        WHOLE,
        {
          type: 'object',
          properties: {
            limit: WHOLE,
            ...(kind === 'rate' ? { burst: WHOLE } : {}),
            ...(kind === 'calendar' ? { alert_at: { type: 'array', items: { type: 'string' } } } : {}),
            shadow: { type: 'boolean' },
            ...(kind === 'size' ? {} : { on_redis_failure: FORMATS['nexus-on-redis-failure'].json }),
          },
          required: ['limit'],
          additionalProperties: false,
        },
        ...(canLift ? [{ const: 'unlimited' }] : []),
      ],
    });

/** A `limits` mapping. `canLift`: a key's own, where `unlimited` lifts a default. */
export function limitsShape(canLift: boolean) {
  const limits = [...LIMIT_KINDS].map(([name, { kind }]) => [
    name,
    limitShape(name, kind, canLift).optional(),
  ]);
  const burst = leaf(() => undefined, { ...WHOLE, description: 'The burst of requests_per_second.' });
  return z.strictObject({ ...Object.fromEntries(limits), burst: burst.optional() });
}

/** `{ limits }`, and nothing else. */
export const ownLimits = z.strictObject({ limits: limitsShape(false) });
