/** A metric as it is offered to Prometheus. docs/metrics.md is made from these. */
export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  /** What it says, in one sentence; also its help text. */
  readonly meaning: string;
  /** Upper bounds of a histogram's buckets, rising. */
  readonly buckets?: readonly number[];
}

/** From a fraction of a millisecond (memory) over a round trip to Redis to its time-out. */
const SHORT_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
/** What OpenTelemetry's GenAI conventions ask for of durations, and two more for models that think for minutes. */
const OPERATION_SECONDS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 655.36,
];
/** What OpenTelemetry's GenAI conventions ask for of tokens, as far as any model goes. */
const TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576];
const LOOP_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const WAIT_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const GEN_AI = ['gen_ai_operation_name', 'gen_ai_provider_name', 'model_family'] as const;

function counter(name: string, labels: readonly string[], meaning: string) {
  return { name, type: 'counter', labels, meaning } as const;
}

function gauge(name: string, labels: readonly string[], meaning: string) {
  return { name, type: 'gauge', labels, meaning } as const;
}

function histogram(name: string, labels: readonly string[], buckets: readonly number[], meaning: string) {
  return { name, type: 'histogram', labels, buckets, meaning } as const;
}

/** Every metric of Nexus' own. Names that OpenTelemetry's GenAI conventions have are theirs. */
export const METRICS = {
  requests: counter(
    'nexus_requests_total',
    ['team', 'tier', 'model_family', 'kind', 'outcome', 'status'],
    'Requests that have ended, by how, and by the class of the status that the client got.',
  ),
  refusals: counter(
    'nexus_refusals_total',
    ['team', 'tier', 'owner_kind', 'limit'],
    'Requests that a limit refused: which limit, and what kind of owner it belongs to.',
  ),
  shadowRefusals: counter(
    'nexus_shadow_refusals_total',
    ['team', 'tier', 'owner_kind', 'limit'],
    'Admitted requests that a limit with `shadow: true` would have refused.',
  ),
  cost: counter(
    'nexus_cost_usd_total',
    ['team', 'tier', 'model_family'],
    'US dollars that settled calls cost, by the prices of their models; calls of models without a price are not in it.',
  ),
  errors: counter(
    'nexus_errors_total',
    ['code'],
    'Requests that Nexus itself ended with an error, by its code (docs/errors.md). Refusals by limits are not among them.',
  ),
  bytesIn: counter('nexus_request_bytes_total', [], 'Bytes of request bodies.'),
  bytesOut: counter('nexus_answer_bytes_total', [], 'Bytes of answer bodies.'),
  underWay: gauge('nexus_requests_under_way', [], 'Requests that have arrived and not ended.'),
  waiting: gauge(
    'nexus_requests_waiting',
    [],
    'Requests that wait for their turn (max_wait), or may have to.',
  ),
  waited: histogram(
    'nexus_request_wait_seconds',
    [],
    WAIT_SECONDS,
    'How long admitted requests waited for their turn; those that began at once are not counted.',
  ),
  streams: gauge(
    'nexus_streams_open',
    ['type'],
    'Answers that are being streamed, and WebSockets that are open.',
  ),

  tokens: counter(
    'nexus_tokens_total',
    ['team', 'tier', 'model_family', 'type', 'source'],
    'Tokens settled, and how they are known. cached_input and cache_write_input are parts of input, reasoning_output is one of output.',
  ),
  tokenUsage: histogram(
    'gen_ai_client_token_usage',
    [...GEN_AI, 'gen_ai_token_type'],
    TOKENS,
    'Tokens of one request: gen_ai.client.token.usage.',
  ),
  reserved: counter(
    'nexus_reserved_tokens_total',
    ['model_family', 'type'],
    'Tokens reserved for requests whose usage was then reported or counted.',
  ),
  overestimated: counter(
    'nexus_overestimated_tokens_total',
    ['model_family', 'type'],
    'Tokens reserved for such requests and not used.',
  ),
  underestimated: counter(
    'nexus_underestimated_tokens_total',
    ['model_family', 'type'],
    'Tokens used by such requests beyond what was reserved.',
  ),

  upstreamRequests: counter(
    'nexus_upstream_requests_total',
    ['upstream', 'model_family', 'kind', 'result'],
    'Requests sent upstream, by the answer of the last upstream: the class of its status, 429, or why there was none or none that was whole.',
  ),
  upstreamGivenUp: counter(
    'nexus_upstream_given_up_total',
    ['upstream', 'result'],
    'Attempts that were given up for another one, at the same upstream or a fallback. Clients saw none of their answers.',
  ),
  upstreamFirstByte: histogram(
    'nexus_upstream_first_byte_seconds',
    ['upstream', 'kind'],
    OPERATION_SECONDS,
    "From sending a request upstream to its answer's head.",
  ),
  operationDuration: histogram(
    'gen_ai_client_operation_duration_seconds',
    [...GEN_AI, 'error_type'],
    OPERATION_SECONDS,
    "From sending a metered call upstream to its answer's end: gen_ai.client.operation.duration. error_type is absent where all went well.",
  ),
  firstChunk: histogram(
    'gen_ai_client_operation_time_to_first_chunk_seconds',
    GEN_AI,
    OPERATION_SECONDS,
    'From sending a call upstream to the first event of its stream: gen_ai.client.operation.time_to_first_chunk.',
  ),

  limitSize: gauge(
    'nexus_limit_units',
    ['owner_kind', 'owner', 'limit', 'period'],
    "The size of a limit's bucket or window, in what it counts. Limits of the gateway, of models, teams and features that requests have met; never those of keys and customers.",
  ),
  limitUsed: gauge(
    'nexus_limit_used_units',
    ['owner_kind', 'owner', 'limit', 'period'],
    'What is used of it, as this instance last saw it, less what has come back since.',
  ),
  reservations: gauge(
    'nexus_reservations_open',
    [],
    'Reservations of this instance neither settled nor given back.',
  ),
  limiterDuration: histogram(
    'nexus_limiter_duration_seconds',
    [],
    SHORT_SECONDS,
    "Waiting for the limiter's decision.",
  ),
  decisions: counter(
    'nexus_limiter_decisions_total',
    ['decision', 'decided_by'],
    'Decisions by the keeper of the buckets, or by this instance alone because Redis is away; unavailable: nobody could decide.',
  ),
  degraded: gauge(
    'nexus_limiter_degraded',
    [],
    '1 while limits are decided without the Redis that instances share.',
  ),
  decides: gauge(
    'nexus_limiter_decides',
    ['limits', 'by'],
    '1 at what decides now: rates (and slots) or budgets (limits per day and month), by memory, redis, local, closed or open.',
  ),
  instances: gauge('nexus_limiter_instances', [], 'Instances that share the limits, as last seen.'),
  owners: gauge('nexus_limiter_owners', [], 'Owners whose buckets this process keeps in memory.'),
  settlement: histogram(
    'nexus_settlement_seconds',
    [],
    SHORT_SECONDS,
    "From the end of an answer until what it used is settled: the settlement's lag.",
  ),
  settlementsQueued: gauge('nexus_settlements_queued', [], 'Settlements that Redis does not know of yet.'),
  settlementsLost: counter('nexus_settlements_lost_total', [], 'Settlements that were given up.'),
  ledgerDegraded: gauge('nexus_ledger_degraded', [], '1 while records cannot be written to the ledger.'),
  ledgerWaiting: gauge(
    'nexus_ledger_records_waiting',
    [],
    'Records that are not in the ledger yet; where instances share one, all of theirs together, a few seconds old.',
  ),
  ledgerLost: counter(
    'nexus_ledger_records_lost_total',
    [],
    'Records that will never be in the ledger; where instances share one, each counts those that had no room in its stream.',
  ),

  loopDelay: histogram(
    'nexus_event_loop_delay_seconds',
    [],
    LOOP_SECONDS,
    'How late the event loop is, at every 20 ms: what a request that arrives at any moment waits before anything is done for it.',
  ),
  draining: gauge('nexus_draining', [], '1 while the instance ends: it takes no new requests.'),
  info: gauge('nexus_info', ['version'], '1, with the version.'),
} as const satisfies Record<string, MetricDefinition>;
