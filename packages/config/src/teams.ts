import type { Customers, ModelRule, OwnerLimits, Team } from '@nexus/domain';
import { type CustomerRules, TeamCustomers } from './customers.ts';
import { readModelRule } from './model-rule.ts';
import { limitSet, type NamedLimits, overrideLimits, ownerLimits, readNamedLimits } from './owner-limits.ts';
import type { ProblemList } from './problems.ts';
import { textOf } from './secret-text.ts';
import { named, type Tier, type Tiers, thingNamed } from './tiers.ts';
import type { MapTree, Tree } from './yaml-tree.ts';

/** A team, and what it makes of its keys. */
export interface TeamEntry {
  readonly team: Team;
  /** Limits of each of its keys, over the defaults. */
  readonly eachKey: NamedLimits;
  /** All of these must allow a model. */
  readonly modelRules: readonly ModelRule[];
}

export type Teams = ReadonlyMap<string, TeamEntry>;

interface Context {
  readonly tiers: Tiers;
  readonly timeZone: string;
  readonly problems: ProblemList;
}

/** Reads `teams`, whose shape was checked before. */
export function readTeams(tree: MapTree, context: Context): Teams {
  const given = tree.entries.get('teams')?.value;
  const teams = new Map<string, TeamEntry>();
  for (const [name, { value }] of given?.kind === 'map' ? given.entries : [])
    if (value.kind === 'map') teams.set(name, readTeam(name, value, context));
  return teams;
}

function readTeam(name: string, map: MapTree, context: Context): TeamEntry {
  const { tiers, problems } = context;
  const at = `teams.${name}`;
  const tier = named(map, 'tier', tiers, { path: `${at}.tier`, what: 'tier', problems });
  const limitsAt = (setting: string, hasDefault: boolean) =>
    readNamedLimits(map.entries.get(setting)?.value, { setting: `${at}.${setting}`, ...context, hasDefault });
  const together = limitSet(
    overrideLimits(tier?.limits ?? new Map(), limitsAt('limits', tier !== undefined)),
  );
  const customers = readCustomers(name, map.entries.get('customers')?.value, context);
  const isLimited = together.buckets.length + together.sizes.length > 0 || together.shadows !== undefined;
  const modelRules = [readModelRule(map.entries.get('models')?.value), tier?.models];
  return {
    team: Object.freeze({
      name,
      ...(isLimited ? { limits: ownerLimits(`team:${name}`, together) } : {}),
      features: readFeatures(name, map, context),
      ...(customers === undefined ? {} : { customers }),
    }),
    eachKey: limitsAt('each_key', true),
    modelRules: modelRules.filter((rule) => rule !== undefined),
  };
}

function readFeatures(team: string, map: MapTree, context: Context): Team['features'] {
  const features = new Map<string, OwnerLimits>();
  const given = map.entries.get('features')?.value;
  for (const [name, { value }] of given?.kind === 'map' ? given.entries : []) {
    if (value.kind !== 'map') continue;
    const setting = `teams.${team}.features.${name}.limits`;
    const limits = readNamedLimits(value.entries.get('limits')?.value, {
      setting,
      ...context,
      hasDefault: false,
    });
    features.set(name, ownerLimits(`feature:${team}/${name}`, limitSet(limits)));
  }
  return features;
}

function readCustomers(
  team: string,
  tree: Tree | undefined,
  { tiers, problems }: Context,
): Customers | undefined {
  if (tree?.kind !== 'map') return undefined;
  const at = `teams.${team}.customers`;
  const known = { what: 'tier', problems };
  const defaultTier = named(tree, 'tier', tiers, { path: `${at}.tier`, ...known });
  const given = tree.entries.get('tiers')?.value;
  const rules = [];
  if (given?.kind === 'map') {
    for (const pattern of given.entries.keys()) {
      const tier = named(given, pattern, tiers, { path: `${at}.tiers["${pattern}"]`, ...known });
      if (tier !== undefined) rules.push({ pattern, tier });
    }
  }
  const from = textOf(tree.entries.get('from')?.value);
  const source = from === 'body.user' || from === 'body.safety_identifier' ? from : 'header';
  return new TeamCustomers(team, {
    from: source,
    tiers: rules,
    defaultTier,
    ...readTierByHeader(tree, at, { tiers, problems }),
  });
}

/** Which keys may name a customer's tier by `x-nexus-tier`, and which tiers. */
function readTierByHeader(
  customers: MapTree,
  at: string,
  { tiers, problems }: Pick<Context, 'tiers' | 'problems'>,
): Pick<CustomerRules, 'trustedKeys' | 'nameable'> {
  const given = customers.entries.get('tier_by_header')?.value;
  if (given?.kind !== 'map') return { trustedKeys: [], nameable: new Map() };
  const keys = given.entries.get('keys')?.value;
  const trustedKeys = keys?.kind === 'list' ? keys.items.flatMap((item) => textOf(item) ?? []) : [];
  const named = given.entries.get('tiers')?.value;
  if (named?.kind !== 'list') return { trustedKeys, nameable: tiers };
  const nameable = new Map<string, Tier>();
  for (const [index, item] of named.items.entries()) {
    const name = textOf(item);
    const path = `${at}.tier_by_header.tiers[${index}]`;
    const tier =
      name === undefined ? undefined : thingNamed(name, item.place, tiers, { path, what: 'tier', problems });
    if (tier !== undefined) nameable.set(tier.name, tier);
  }
  return { trustedKeys, nameable };
}
