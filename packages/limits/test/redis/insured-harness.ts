import type { Decision, OwnerLimits } from '@nexus/domain';
import { until } from '@nexus/testkit';
import { onTestFinished } from 'vitest';
import {
  type Connections,
  connectRedis,
  type InsuranceChange,
  InsuredLimiter,
  type InsuredLimiterOptions,
  type RedisSettings,
} from '../../src/index.ts';
import { demand } from '../limit-shapes.ts';

/**
 * How long a call may take in tests whose Redis answers, if it answers at all, or refuses: the machine may stall. Only tests that
 * freeze Redis or the network wait for the end of it, so they set their own.
 */
export const PATIENT_MS = 3_000;
/** For a Redis that doesn't answer: long enough that a machine which stalls for a moment isn't taken for one. */
export const SILENT_MS = 1_000;

/** An insured limiter, and all that it said. */
export interface Instance {
  readonly limiter: InsuredLimiter;
  readonly connections: Connections;
  readonly changes: InsuranceChange[];
}

export type InstanceOptions = Omit<InsuredLimiterOptions, 'connections' | 'onState'> & {
  readonly commandTimeoutMs?: number;
  /** Whether to wait until it is connected. Default true. */
  readonly connects?: boolean;
};

export async function startInstance(reach: string | RedisSettings, options: InstanceOptions = {}) {
  const { commandTimeoutMs = PATIENT_MS, connects = true, ...rest } = options;
  const settings = typeof reach === 'string' ? { url: reach } : reach;
  const changes: InsuranceChange[] = [];
  const connections = connectRedis({ ...settings, commandTimeoutMs }, () => {});
  const limiter = new InsuredLimiter({ ...rest, connections, onState: (change) => changes.push(change) });
  onTestFinished(() => limiter.close());
  const instance: Instance = { limiter, connections, changes };
  if (connects) await until(() => limiter.instances().isKnown, { withinMs: 20_000 });
  return instance;
}

/** Starts instances, and waits until each of them has seen all. */
export async function startInstances(
  reach: string | RedisSettings,
  count: number,
  options: InstanceOptions = {},
): Promise<Instance[]> {
  const instances = await Promise.all(Array.from({ length: count }, () => startInstance(reach, options)));
  const seeAll = () => instances.every(({ limiter }) => limiter.instances().count === count);
  await until(seeAll, { withinMs: 20_000 });
  return instances;
}

export const back = ({ limiter }: Instance) =>
  until(() => limiter.state().status === 'ok', { withinMs: 20_000 });
export const gone = ({ limiter }: Instance) =>
  until(() => limiter.state().status === 'degraded', { withinMs: 20_000 });

let asked = 0;
export function ask({ limiter }: Pick<Instance, 'limiter'>, owners: readonly OwnerLimits[], tokens = 0) {
  asked += 1;
  return limiter.admit({ requestId: `asked-${asked}`, owners, demand: demand(1, tokens) });
}

/** Asks and settles at once; whether it was admitted. */
export async function use(instance: Instance, owners: readonly OwnerLimits[], tokens = 0): Promise<boolean> {
  const decision = await ask(instance, owners, tokens);
  await settle(instance, decision, tokens);
  return decision.admitted;
}

export async function settle({ limiter }: Instance, decision: Decision, tokens = 0): Promise<void> {
  if (decision.admitted) await limiter.settle(decision.reservation, { inputTokens: tokens, outputTokens: 0 });
}

export async function free({ limiter }: Instance, owners: readonly OwnerLimits[]): Promise<number[]> {
  return (await limiter.peek(owners)).map(({ available }) => available);
}
