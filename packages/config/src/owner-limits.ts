import type { BucketLimit, Limit, OwnerLimits, SizeLimit } from '@nexus/domain';
import { LIMIT_KINDS, readLimit } from './limit-settings.ts';
import type { ProblemList } from './problems.ts';
import { plainValue } from './shape-problems.ts';
import type { Tree } from './yaml-tree.ts';

/** The limits of one mapping by their names; `unlimited` lifts the default of that name. */
export type NamedLimits = ReadonlyMap<string, Limit | 'unlimited'>;

/** Limits that have no owner yet: the default of each key. */
export type LimitSet = Omit<OwnerLimits, 'owner'>;

const NONE: NamedLimits = new Map();

/** Reads a `limits` mapping whose shape was checked before; what is wrong with a single limit was said there. */
export function readNamedLimits(
  tree: Tree | undefined,
  options: { setting: string; timeZone: string; problems: ProblemList; hasDefault: boolean },
): NamedLimits {
  if (tree?.kind !== 'map') return NONE;
  const { setting, timeZone, problems, hasDefault } = options;
  const limits = new Map<string, Limit | 'unlimited'>();
  const burst = tree.entries.get('burst');
  if (burst !== undefined) checkBurst(tree.entries.get('requests_per_second')?.value, burst, options);
  for (const [name, { place, value }] of tree.entries) {
    if (!LIMIT_KINDS.has(name) || value.kind === 'broken') continue;
    const shared =
      name === 'requests_per_second' && burst?.value.kind === 'scalar' ? burst.value.value : undefined;
    const read = readLimit(name, plainValue(value), { timeZone, sharedBurst: shared ?? undefined });
    if (!read.ok) {
      // A limit that is fine by itself can still disagree with the burst beside it.
      if (burst === undefined || shared === undefined || shared === null) continue;
      const alone = readLimit(name, plainValue(value), { timeZone });
      // Where the limit itself is wrong too, the burst is judged beside one that is not.
      const judged = alone.ok ? read : readLimit(name, 1, { timeZone, sharedBurst: shared });
      for (const { wrong, remedy } of judged.ok ? [] : judged.findings) {
        problems.add(burst.place, `${setting}.burst`, { wrong: `\`${setting}.burst\` ${wrong}`, remedy });
      }
    } else if (read.limit === 'unlimited' && !hasDefault) {
      problems.add(place, `${setting}.${name}`, {
        wrong: `\`${setting}.${name}\` has no default that \`unlimited\` could lift`,
        remedy: 'remove it: an absent limit does not limit',
      });
    } else {
      limits.set(name, read.limit);
    }
  }
  return limits;
}

function checkBurst(
  perSecond: Tree | undefined,
  burst: { place: Tree['place']; value: Tree },
  { setting, problems }: { setting: string; problems: ProblemList },
): void {
  const add = (wrong: string, remedy: string) =>
    problems.add(burst.place, `${setting}.burst`, { wrong: `\`${setting}.burst\` ${wrong}`, remedy });
  if (perSecond === undefined) {
    add(
      'belongs to `requests_per_second`, which is not in the same mapping',
      'write requests_per_second there too, or give another limit its own: { limit: 600, burst: 20 }',
    );
  } else if (perSecond.kind === 'map' && perSecond.entries.has('burst')) {
    add('is given twice for `requests_per_second`', 'keep one of them');
  } else if (perSecond.kind === 'scalar' && perSecond.value === 'unlimited') {
    add('belongs to a limit that is `unlimited`', 'remove it');
  } else if (burst.value.kind === 'list' || burst.value.kind === 'map') {
    add('is not a whole number', 'write a whole number from 1');
  }
}

/** The defaults, with each limit that `own` names replaced or lifted. */
export function overrideLimits(defaults: NamedLimits, own: NamedLimits): NamedLimits {
  return new Map([...defaults, ...own]);
}

/** Limits in the order of the documentation, frozen. */
export function limitSet(named: NamedLimits): LimitSet {
  const buckets: BucketLimit[] = [];
  const sizes: SizeLimit[] = [];
  const shadows: Limit[] = [];
  for (const name of LIMIT_KINDS.keys()) {
    const limit = named.get(name);
    if (limit === undefined || limit === 'unlimited') continue;
    Object.freeze(limit);
    if (limit.shadow) shadows.push(limit);
    else if (limit.kind === 'size') sizes.push(limit);
    else buckets.push(limit);
  }
  return Object.freeze({
    buckets: Object.freeze(buckets),
    sizes: Object.freeze(sizes),
    ...(shadows.length === 0 ? {} : { shadows: Object.freeze(shadows) }),
  });
}

export function ownerLimits(owner: string, limits: LimitSet): OwnerLimits {
  return Object.freeze({ owner, ...limits });
}
