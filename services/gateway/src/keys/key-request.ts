import { type Config, isHashId, isModelPattern, PLAIN_NAME, parseDuration } from '@nexus/config';
import { instantOf } from './instant.ts';

/** A key that somebody wants, checked. */
export interface KeyRequest {
  readonly id: string;
  readonly team?: string;
  readonly tier?: string;
  readonly models?: readonly string[];
  readonly expiresMs?: number;
}

/** What a request for a key, or a rotation, may not be. */
export interface Wrong {
  /** Each a sentence that begins with the field's name; it repeats no value. */
  readonly wrong: readonly string[];
}

/** What is asked of the configuration that holds. */
type Rules = Pick<Config, 'teams' | 'tiers' | 'keys' | 'timeZone'>;

const MOST_MODELS = 100;
const LONGEST_OVERLAP_MS = 90 * 86_400_000;
const OVERLAP_MS = 86_400_000;

const FIELDS = ['id', 'team', 'tier', 'models', 'expires'];

/** Reads the wish for a new key: a mapping of `id`, `team`, `tier`, `models` and `expires`, whatever it comes from. */
export function readKeyRequest(given: unknown, rules: Rules, nowMs: number): KeyRequest | Wrong {
  const fields = fieldsOf(given, FIELDS);
  if ('wrong' in fields) return fields;
  const { id, team, tier, models, expires } = fields.values;
  const wrong: string[] = [];
  if (typeof id !== 'string' || !PLAIN_NAME.test(id))
    wrong.push('id is not 1 to 64 letters, digits, ., _ or -');
  else if (isHashId(id)) wrong.push('id has the form of an unlisted key’s id');
  else if (rules.keys.some((listed) => listed.id === id))
    wrong.push('id is that of a key which the configuration lists');
  if (team !== undefined && !(typeof team === 'string' && rules.teams.has(team)))
    wrong.push('team names no team of the configuration');
  if (tier !== undefined && !(typeof tier === 'string' && rules.tiers.includes(tier)))
    wrong.push('tier names no tier of the configuration');
  const patterns = models === undefined ? undefined : patternsOf(models);
  if (models !== undefined && patterns === undefined)
    wrong.push(`models is not a list of 1 to ${MOST_MODELS} patterns such as gpt-4o* or !*-audio*`);
  const expiresMs = expires === undefined ? undefined : instantOf(expires, rules.timeZone, nowMs);
  if (expires !== undefined && expiresMs === undefined)
    wrong.push('expires is neither a duration such as 90d nor a day to come such as 2027-03-31');
  if (wrong.length > 0 || typeof id !== 'string') return { wrong };
  return {
    id,
    ...(typeof team === 'string' ? { team } : {}),
    ...(typeof tier === 'string' ? { tier } : {}),
    ...(patterns === undefined ? {} : { models: patterns }),
    ...(expiresMs === undefined ? {} : { expiresMs }),
  };
}

/** Reads for how long a rotated key's earlier secret stays good: `overlap`, by default a day. */
export function readOverlap(given: unknown): { readonly overlapMs: number } | Wrong {
  const fields = fieldsOf(given, ['overlap']);
  if ('wrong' in fields) return fields;
  const { overlap } = fields.values;
  if (overlap === undefined) return { overlapMs: OVERLAP_MS };
  const overlapMs = typeof overlap === 'string' ? parseDuration(overlap) : undefined;
  if (overlapMs === undefined || overlapMs > LONGEST_OVERLAP_MS)
    return { wrong: ['overlap is not a duration such as 0s, 24h or 7d, of 90d at most'] };
  return { overlapMs };
}

/** The fields of a JSON object, if it has no others than the known ones. */
export function fieldsOf(
  given: unknown,
  known: readonly string[],
): { readonly values: Partial<Record<string, unknown>> } | Wrong {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return { wrong: ['the body is not a JSON object'] };
  const entries = Object.entries(given);
  if (entries.some(([name]) => !known.includes(name)))
    return { wrong: [`there are other fields than ${known.join(', ')}`] };
  return { values: Object.fromEntries(entries) };
}

function patternsOf(models: unknown): string[] | undefined {
  if (!Array.isArray(models) || models.length === 0 || models.length > MOST_MODELS) return undefined;
  const patterns = models.filter(
    (each: unknown): each is string => typeof each === 'string' && isModelPattern(each.replace(/^!/, '')),
  );
  return patterns.length === models.length ? patterns : undefined;
}
