import type { Config } from '@nexus/config';
import type { Customer, OwnerLimits, Team } from '@nexus/domain';
import type { ChangedBudgets } from '../budgets/changed-budgets.ts';

/** Whom and what a request is for, as far as it is known. */
export interface Charged {
  readonly key: OwnerLimits | undefined;
  readonly team: Team | undefined;
  readonly customer: Customer | undefined;
  readonly feature: string | undefined;
  readonly model: string | undefined;
}

/**
 * Everyone that a request is charged to: its key, team, customer, feature and model, and the gateway as a whole, wherever these have limits.
 * @param budgets what was changed of their budgets while Nexus runs; absent: the configuration's hold
 */
export function ownersOf(
  { key, team, customer, feature, model }: Charged,
  { models, gateway }: Pick<Config, 'models' | 'gateway'>,
  budgets?: ChangedBudgets,
): readonly OwnerLimits[] {
  const owners: OwnerLimits[] = [];
  if (key) owners.push(key);
  if (team?.limits) owners.push(team.limits);
  const ofFeature = feature === undefined ? undefined : team?.features.get(feature);
  if (ofFeature) owners.push(ofFeature);
  if (customer?.limits) owners.push(customer.limits);
  if (model !== undefined) for (const entry of models) if (entry.matches(model)) owners.push(entry.limits);
  if (gateway) owners.push(gateway);
  return budgets ? budgets.ofAll(owners) : owners;
}
