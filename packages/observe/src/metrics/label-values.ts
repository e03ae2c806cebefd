/**
 * The values that labels can have. Every label has a short, closed list, or names from the configuration: nothing that a
 * client sends becomes a label.
 */
import type { UsageSource } from '@nexus/domain';
import type { RequestEnd } from '../request-line.ts';

/** What stands where there is none: no team, no tier, no model. */
export const NONE = 'none';

/** The upstream where there is but one, which has no name of its own: `target_url`. */
export const DEFAULT_UPSTREAM = 'default';

/** Kinds of calls: the metered ones, and all that passes unread. */
export const KINDS = [
  'chat',
  'completion',
  'embedding',
  'response',
  'message',
  'image',
  'speech',
  'moderation',
  'rerank',
  'other',
] as const;
export type Kind = (typeof KINDS)[number];

/**
 * What OpenTelemetry calls a kind: gen_ai.operation.name and gen_ai.provider.name; where it has no name for an operation, the kind is one.
 * Requests that pass unread are no operations.
 */
export const OPERATIONS: Readonly<
  Record<Kind, { readonly operation: string; readonly provider: string } | undefined>
> = {
  chat: { operation: 'chat', provider: 'openai' },
  completion: { operation: 'text_completion', provider: 'openai' },
  embedding: { operation: 'embeddings', provider: 'openai' },
  response: { operation: 'chat', provider: 'openai' },
  message: { operation: 'chat', provider: 'anthropic' },
  image: { operation: 'image', provider: 'openai' },
  speech: { operation: 'speech', provider: 'openai' },
  moderation: { operation: 'moderation', provider: 'openai' },
  rerank: { operation: 'rerank', provider: 'cohere' },
  other: undefined,
};

export const OUTCOMES = ['completed', 'denied', 'failed', 'left'] as const;
export const OUTCOME_OF: Readonly<Record<RequestEnd, number>> = {
  'request completed': 0,
  'request denied': 1,
  'request failed': 2,
  'client left': 3,
};

/** Classes of statuses; a WebSocket's 101 is 1xx. */
export const STATUSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;

/** The place of a status' class. */
export function statusClass(status: number): number {
  return status >= 100 && status < 600 ? Math.floor(status / 100) : 0;
}

export const TOKEN_TYPES = [
  'input',
  'cached_input',
  'cache_write_input',
  'output',
  'reasoning_output',
] as const;

/** How tokens are known; where nothing was used there are none. */
export const SOURCES = ['reported', 'counted', 'estimated'] as const satisfies readonly UsageSource[];
export const SOURCE_OF: Readonly<Record<UsageSource, number>> = {
  reported: 0,
  counted: 1,
  estimated: 2,
  none: -1,
};

/** How a request went upstream: the class of the answer's status or, from `broke` on, why there was no whole answer. */
export const RESULTS = [
  ...STATUSES,
  '429',
  'broke',
  'unreachable',
  'failed',
  'invalid',
  'timeout',
  'refused_key',
  'abandoned',
] as const;
export const RESULT_429 = RESULTS.indexOf('429');
export const RESULT_BROKE = RESULTS.indexOf('broke');
export const RESULT_UNREACHABLE = RESULTS.indexOf('unreachable');
export const RESULT_ABANDONED = RESULTS.indexOf('abandoned');
/** Of the errors with which Nexus answers in the upstream's place. */
export const RESULT_OF_ERROR: ReadonlyMap<string, number> = new Map([
  ['upstream_unreachable', RESULT_UNREACHABLE],
  ['upstream_failed', RESULTS.indexOf('failed')],
  ['upstream_invalid', RESULTS.indexOf('invalid')],
  ['upstream_timeout', RESULTS.indexOf('timeout')],
  ['upstream_refused_key', RESULTS.indexOf('refused_key')],
]);

const OWNER_KINDS = ['gateway', 'model', 'team', 'feature', 'customer', 'key'];
const COUNTED = ['requests', 'model_tokens', 'input_tokens', 'output_tokens', 'usd'];
const PERIODS = ['second', 'minute', 'hour', 'day', 'month'];
const OTHER = 'other';

/** Kinds of owners, by what their names begin with. */
const KIND_OF_OWNER: ReadonlyMap<string, string> = new Map(OWNER_KINDS.map((kind) => [kind, kind]));

/** The names that limits can have. */
const LIMIT_NAMES: ReadonlySet<string> = new Set([
  ...COUNTED.flatMap((what) => PERIODS.map((period) => `${what}_per_${period}`)),
  'concurrent_requests',
  'max_request_tokens',
  'max_output_tokens',
]);

/** The labels of a limit that refused, from its name as clients see it: `team:search/model_tokens_per_day`. */
export function limitLabels(fullName: string): { readonly ownerKind: string; readonly limit: string } {
  const slash = fullName.lastIndexOf('/');
  const limit = fullName.slice(slash + 1);
  return {
    ownerKind: ownerKind(fullName.slice(0, Math.max(0, slash))),
    limit: LIMIT_NAMES.has(limit) ? limit : OTHER,
  };
}

/** `model:gpt-4o*` → `model`. */
export function ownerKind(owner: string): string {
  const colon = owner.indexOf(':');
  return KIND_OF_OWNER.get(colon < 0 ? owner : owner.slice(0, colon)) ?? OTHER;
}

/** `model_tokens_per_day` → `day`; none for slots. */
export function periodOf(limit: string): string {
  const period = limit.slice(limit.lastIndexOf('_') + 1);
  return PERIODS.includes(period) ? period : NONE;
}
