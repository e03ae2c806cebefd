import { METRICS, type MetricDefinition } from './definitions.ts';
import { KINDS, OUTCOMES, RESULTS, SOURCES, STATUSES, TOKEN_TYPES } from './label-values.ts';
import { MODEL_FAMILIES } from './model-family.ts';

const INTRODUCTION = `# Metrics

\`GET /metrics\` on the admin address (\`admin.listen\`), in Prometheus' text format. It needs no key and holds no secret; nothing else
than the admin address answers it, and that address belongs in a network of its own.

No label ever holds what a client sent: no key, path, customer or model name. Teams, tiers, upstreams, and owners of limits are those of
the configuration, all other values come from the short lists below, so that nobody can make the number of series grow. Names that
OpenTelemetry's conventions for generative AI have are theirs, written as Prometheus writes them; its \`gen_ai.request.model\` has no
bound, so \`model_family\` stands in its place.

Each instance counts its own requests: sum over them. \`nexus_limit_used_units\` is what an instance last saw of a limit that all of them
share: take the maximum. Counters begin at 0 with the process. A series appears with its first request; the codes of
\`nexus_errors_total\` are all there from the beginning.

\`deploy/prometheus/\` has a configuration and alert rules, \`deploy/grafana/\` a dashboard.
`;

const PROCESS = `
## The process

As prom-client collects them: \`process_cpu_*\`, \`process_resident_memory_bytes\`, \`process_open_fds\`, \`process_max_fds\`,
\`process_start_time_seconds\`, \`nodejs_heap_*\`, \`nodejs_external_memory_bytes\`, \`nodejs_gc_duration_seconds\`, \`nodejs_active_*\`,
\`nodejs_version_info\`. In place of its \`nodejs_eventloop_lag_*\` there is \`nexus_event_loop_delay_seconds\`.

## What it costs

\`node packages/observe/bench/metrics.bench.ts\` measures it: about 1 µs a request, nothing for a chunk of a stream, and some 10 ms for a page
with 100 teams, in small pieces between which requests go on.
`;

/** What a label says, and the values that it can have. */
const LABELS: readonly (readonly [name: string, meaning: string, values?: readonly string[]])[] = [
  [
    'team',
    'Of the key, as the configuration names it; none without a team, and for callers that are not known.',
  ],
  ['tier', 'Of the key, as the configuration names it, or none.'],
  [
    'model_family',
    'What the model that was asked for belongs to; none for calls without one.',
    MODEL_FAMILIES,
  ],
  ['kind', 'The kind of metered call, or other for all that passes unread.', KINDS],
  ['outcome', 'denied: by a limit. left: the client went before the end.', OUTCOMES],
  ['status', 'The class of the status that the client got, or would have got.', STATUSES],
  ['owner_kind', 'Whose the limit is.', ['gateway', 'model', 'team', 'feature', 'customer', 'key']],
  [
    'owner',
    'The owner by its name: `gateway`, `model:gpt-4o*`, `team:search`, `feature:search/autocomplete`.',
  ],
  ['limit', 'The name of the limit, as `requests_per_second`.'],
  ['period', "The limit's period.", ['second', 'minute', 'hour', 'day', 'month']],
  ['code', 'An `error.code` of docs/errors.md.'],
  ['type', 'Of tokens, or of streams.', [...TOKEN_TYPES, 'sse', 'websocket']],
  ['source', 'Who knows the usage: the upstream reported it, or Nexus counted or estimated it.', SOURCES],
  ['upstream', 'As the configuration names it; default is `target_url`.'],
  ['result', 'The class of the status that the upstream answered, or what happened instead.', RESULTS],
  ['error_type', 'The `result` of a call that did not go well; absent otherwise.'],
  [
    'gen_ai_operation_name',
    "OpenTelemetry's gen_ai.operation.name.",
    ['chat', 'text_completion', 'embeddings'],
  ],
  [
    'gen_ai_provider_name',
    "OpenTelemetry's gen_ai.provider.name: whose API is spoken.",
    ['openai', 'anthropic'],
  ],
  ['gen_ai_token_type', "OpenTelemetry's gen_ai.token.type.", ['input', 'output']],
  ['decision', 'What the limiter said.', ['admitted', 'denied', 'unavailable']],
  ['decided_by', 'alone: by this instance, because Redis is away.', ['memory', 'redis', 'alone', 'none']],
  ['limits', 'The class of limits.', ['rates', 'budgets']],
  ['by', 'What decides them.', ['memory', 'redis', 'local', 'closed', 'open']],
  ['version', 'Of Nexus.'],
];

function code(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}

/** docs/metrics.md, made from the definitions. */
export function metricsMarkdown(): string {
  const definitions: readonly MetricDefinition[] = Object.values(METRICS);
  const rows = definitions.map(
    ({ name, type, labels, meaning }) => `| \`${name}\` | ${type} | ${code(labels)} | ${meaning} |\n`,
  );
  const labels = LABELS.map(
    ([name, meaning, values]) => `| \`${name}\` | ${meaning} | ${values ? code(values) : ''} |\n`,
  );
  return [
    INTRODUCTION,
    "\n## Nexus' own\n\n| name | type | labels | meaning |\n|---|---|---|---|\n",
    ...rows,
    '\nHistograms have `_bucket`, `_sum` and `_count` behind their names.\n',
    '\n## Labels\n\n| label | meaning | values |\n|---|---|---|\n',
    ...labels,
    PROCESS,
  ].join('');
}

/** The labels that the page explains. */
export const EXPLAINED_LABELS: ReadonlySet<string> = new Set(LABELS.map(([name]) => name));
