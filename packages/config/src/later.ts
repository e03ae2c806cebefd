import type { Finding } from './problems.ts';

/** The mappings whose names are checked: the file itself, one key, one limit, … */
export type Scope =
  | 'file'
  | 'admin'
  | 'key'
  | 'limits'
  | 'limit'
  | 'owner'
  | 'team'
  | 'customers'
  | 'tier_by_header'
  | 'price'
  | 'alerts'
  | 'ledger'
  | 'admin_token'
  | 'upstream'
  | 'retry'
  | 'redis'
  | 'on_redis_failure'
  | 'tls'
  | 'timeouts';

/**
 * Settings of the full configuration that this version cannot keep. They are refused by name: a budget that is read
 * and ignored is worse than none.
 */
export const LATER: ReadonlyMap<Scope, ReadonlySet<string>> = new Map();

/** The scalars among them that would also come from the environment or a flag. */
export const LATER_SCALARS: readonly string[] = [];

/** What to say of a name that this version cannot keep; undefined for every other name. */
export function notSupported(scope: Scope, name: string): Finding | undefined {
  if (LATER.get(scope)?.has(name) !== true) return undefined;
  return { wrong: `\`${name}\` is not supported by this version of Nexus`, remedy: 'remove it' };
}
