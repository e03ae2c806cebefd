import type { Config, Principals } from '@nexus/config';
import type { Limiter, OwnerLimits } from '@nexus/domain';
import type { ChangedBudgets } from '../budgets/changed-budgets.ts';
import type { Keys } from '../keys/open-keys.ts';
import { shownKeys } from '../keys/shown-keys.ts';
import { shownBucket, shownLimit } from '../ops/shown-limits.ts';
import type { AdminRoute } from './api.ts';
import { ProblemError } from './problem.ts';

const LIST = { type: 'object', additionalProperties: true };

/** What the routes about owners look at. */
export interface OwnerParts {
  readonly config: Config;
  readonly principals: Principals;
  readonly limiter: Limiter;
  readonly budgets: ChangedBudgets;
  readonly keys: Keys;
}

/** Everybody who has limits by the configuration, by the name that refusals show. */
export function configuredOwners({ gateway, models, teams, keys }: Config): ReadonlyMap<string, OwnerLimits> {
  const owners = [
    ...(gateway ? [gateway] : []),
    ...models.map(({ limits }) => limits),
    ...[...teams.values()].flatMap(({ limits, features }) => [
      ...(limits ? [limits] : []),
      ...features.values(),
    ]),
    ...keys.map(({ limits }) => limits),
  ];
  return new Map(owners.map((limits) => [limits.owner, limits]));
}

/** Routes that look at the configuration that holds and at what is left of its limits. */
export function ownerRoutes(parts: OwnerParts): readonly AdminRoute[] {
  return [
    {
      method: 'get',
      path: '/admin/v1/config',
      scope: 'read',
      summary: 'The configuration that holds, without secrets',
      answer: LIST,
      handle: async () => ({ json: shownConfig(parts.config) }),
    },
    {
      method: 'get',
      path: '/admin/v1/teams',
      scope: 'read',
      summary: 'The teams, their keys that are active, listed and issued, and what is left of their limits',
      answer: LIST,
      handle: async () => ({ json: { teams: await shownTeams(parts) } }),
    },
    {
      method: 'get',
      path: '/admin/v1/limits',
      scope: 'read',
      summary: 'What is left of the limits of an owner, or of all that the configuration names',
      query: {
        owner: 'As refusals name it: `key:search-prod`, `team:search`, `gateway`, `customer:search/acme`',
      },
      answer: LIST,
      handle: async ({ req }) => {
        const { owner } = req.query;
        if (owner === undefined)
          return { json: { buckets: await bucketsOf([...configuredOwners(parts.config).values()], parts) } };
        return { json: { buckets: await bucketsOf([find(owner, parts)], parts) } };
      },
    },
  ];
}

/** @throws ProblemError 404 */
function find(owner: unknown, parts: OwnerParts): OwnerLimits {
  const found = typeof owner === 'string' ? ownerNamed(owner, parts) : undefined;
  if (found) return found;
  throw new ProblemError({
    status: 404,
    title: 'Not Found',
    detail: 'There is no such owner with limits. GET /admin/v1/limits lists those of the configuration.',
  });
}

/** The limits that the configuration gives to who is named so, an issued key or a customer too. */
export function ownerNamed(owner: string, { config, principals }: OwnerParts): OwnerLimits | undefined {
  const key = owner.startsWith('key:') ? principals.byId(owner.slice('key:'.length))?.limits : undefined;
  return configuredOwners(config).get(owner) ?? customerOf(owner, config) ?? key;
}

function customerOf(owner: string, { teams }: Config): OwnerLimits | undefined {
  const [, team = '', name = ''] = /^customer:([^/]+)\/(.+)$/.exec(owner) ?? [];
  return teams.get(team)?.customers?.find(name)?.limits;
}

async function bucketsOf(
  owners: readonly OwnerLimits[],
  { limiter, budgets }: OwnerParts,
): Promise<object[]> {
  return (await limiter.peek(budgets.ofAll(owners))).map(shownBucket);
}

async function shownTeams(parts: OwnerParts): Promise<object[]> {
  const { config, keys } = parts;
  const members = new Map<string, string[]>([...config.teams.keys()].map((name) => [name, []]));
  for (const { id, team, status } of shownKeys(keys.issued.records(), config, Date.now()))
    if (status === 'active' && typeof team === 'string') members.get(team)?.push(id);
  return Promise.all(
    [...config.teams.values()].map(async ({ name, limits }) => ({
      name,
      keys: members.get(name) ?? [],
      buckets: limits ? await bucketsOf([limits], parts) : [],
    })),
  );
}

function shownConfig(config: Config): object {
  const shownOwner = ({ owner, buckets, sizes, shadows = [] }: OwnerLimits) => ({
    owner,
    limits: [...buckets, ...sizes].map(shownLimit),
    shadows: shadows.map(shownLimit),
  });
  return {
    target_url: `${config.target.origin}${config.target.pathPrefix}`,
    require_known_keys: config.requireKnownKeys,
    each_key: [...config.keyLimits.buckets, ...config.keyLimits.sizes].map(shownLimit),
    owners: [...configuredOwners(config).values()].map(shownOwner),
    keys: config.keys.map(({ id, team, tier, expiresMs }) => ({
      id,
      team: team?.name ?? null,
      tier: tier ?? null,
      expires: expiresMs === undefined ? null : new Date(expiresMs).toISOString(),
    })),
  };
}
