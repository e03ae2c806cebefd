import { FORMATS } from './formats.ts';
import { LATER } from './later.ts';
import { LIMIT_KINDS } from './limit-settings.ts';
import { PRICE_AMOUNTS } from './price-settings.ts';
import { SCALAR_ENTRIES } from './scalar-settings.ts';
import { GROUP_LISTS, LIST_SHAPES } from './shape.ts';

const INTRODUCTION = `<!-- Made by \`node packages/config/scripts/write-docs.ts\` from the schema. Change that, not this. -->

# Configuration

Nexus reads one YAML file: the one that \`--config FILE\` names, else \`CONFIG_PATH\`, else \`./config.yaml\`. Environment
variables are stronger than the file, flags stronger than both. An empty variable counts as not set.

\`\`\`yaml
listen_port: 8080
target_url: https://api.openai.com
limits:                          # each API key
  requests_per_second: 10
  burst: 20
  model_tokens_per_minute: 50000
\`\`\`

A configuration with a mistake is refused, and every mistake is named with its line and what would be right.
Unknown settings are mistakes. The file is UTF-8, one document of at most 1 MB; anchors, aliases and \`<<\` work.
[config.schema.json](config.schema.json) lets an editor check it while you write.

A file that changes is taken over within two seconds, without a restart; \`SIGHUP\` makes Nexus read it at once, with the secrets in the files that it
names. One with a mistake is refused: the one before it holds, the log says why, and \`/health\` shows \`"config":{"status":"refused"}\`.
Buckets keep what they have used: a limit that is raised frees what it is raised by, one that is lowered clamps and never refills; a key that is gone is
unknown at its next request. An upstream that is changed takes the
requests that come; those that are under way end where they are, and what is known of a host that stays (its breaker, keys that cool off) stays known. Certificates are read anew at a \`SIGHUP\`.
What stands in sockets and stores waits for a restart, and the log names it: \`listen_*\`, \`tls\` on or off, \`redis*\`, \`on_redis_failure\`, \`ledger\`, \`admin.listen\`.

- **Durations** are \`250ms\`, \`10s\`, \`5m\`, \`2h\`, \`1d\`; **sizes** \`512KB\`, \`10MB\`, \`1GB\` (1 KB is 1024 bytes).
- **\`\${NAME}\`** in any text is replaced by the environment variable, \`\${NAME:-default}\` by it or the default where it
  is unset or empty; \`$\${\` is a plain \`\${\`. Between braces or brackets put it in quotes: \`{ key: "\${NAME}" }\`.
- **\`file:/run/secrets/x\`** in place of a key reads it from that file, without the newline at its end.
- Paths in the file are relative to its folder; paths in variables and flags to the working directory.

## Single values
`;

const LIMITS = `
## Limits

\`limits\` at the top hold for each API key; \`gateway.limits\` for all traffic together; \`models.<pattern>.limits\` for all
traffic of the models that match; \`keys[].limits\` for one key. All that concern a request hold. A key's own limit replaces the default of the same name, and
\`unlimited\` lifts it; the other defaults stay.

A limit is a whole number or \`{ limit, burst, alert_at, shadow, on_redis_failure }\`. With \`shadow: true\` it is tried and logged (\`shadow\` in the log line names it where it would have refused), and never refuses; it
counts by itself, so it begins full, as if nothing had been used, once it is enforced. One that is absent does not limit; \`0\` refuses everything. There are no
fractions: for one request in two seconds write \`requests_per_minute: 30\`.

- **Per second, minute, hour**: a bucket that refills all the time. In any window of \`t\`, at most \`burst + rate · t\` pass.
  The burst is by default the limit's own number. \`burst\` beside \`requests_per_second\` is that limit's burst; the others take \`{ limit: 600, burst: 20 }\`.
- **Per day, month**: a fixed amount for each day or month of the calendar in \`time_zone\`, without a burst.
- \`model_tokens\` are prompt and answer together.

| limit | what it bounds |
|---|---|
`;

const READ = `
## What is read

The body of a POST is read, whatever stands before these ends of its path: \`chat/completions\`, \`completions\`, \`embeddings\`, \`responses\`, \`messages\`,
\`images/generations\`, \`audio/speech\`, \`moderations\` and \`rerank\`. It must be JSON and no larger than \`body_limit\`. Its model is known, and its tokens are counted before it goes; what an
answer used is taken from the \`usage\` in it, or counted where it is text. Audio without a usage and a moderation have no output, and images that report no
tokens cost what \`usd_per_call\` in \`prices\` says.

All else passes as it comes, unread: uploads, files, batches, WebSockets, unknown paths. It takes requests and slots, and its
tokens where its answer has a \`usage\`. Where its URL names a model, \`models.<pattern>.limits\` hold for it too. The model that \`images/edits\`, \`images/variations\`, \`audio/transcriptions\`, \`audio/translations\`
and \`videos\` name, in a form or in JSON, is learned while they pass: too late for limits (a restart counts them for the model's limits by day and month), but the answer is charged at its price. Named more than once it is a 400.

A list of \`models\` holds for the model in the body, for Azure's deployment in the path (\`/openai/deployments/NAME/\`, whose name is the model's, for prices too), before Google's verbs (\`/models/NAME:generateContent\`) and for
\`model\` and \`deployment\` in the query, where a WebSocket names its own. Where a list binds a key or customer, a body that passes unread is looked at too: each \`model\` that its JSON gives, however deep, and its form's \`model\` must be allowed, or the last of it is never sent and the answer is a 404. What can be read in two ways is a 400 (an odd form, \`x-www-form-urlencoded\`, a charset other than UTF-8), a compressed body a 415; sound, pictures and bytes pass.
What is read, a WebSocket and the five calls above get a 404 where they name no model (in the path, in JSON's own \`model\`, in a form's field; a query does for a WebSocket alone); a moderation that names none is one of \`omni-moderation-latest\`. What Nexus can't see is not held: the file behind a batch, an assistant's own model in a run, what a WebSocket says.
`;

const KEYS = `
## Keys

\`\`\`yaml
keys:
  - id: search-prod                        # what logs and bucket names show
    key: \${SEARCH_PROD_KEY}                # what the client sends
    upstream_key: file:/run/secrets/openai # what the upstream gets; absent: the client's own key passes
    limits: { requests_per_second: 50, model_tokens_per_minute: unlimited }
    expires: 2027-03-31                    # the last day, in time_zone; or an instant, 2027-03-31T12:00:00Z
api_keys:
  nexus-client-demo: \${OPENAI_KEY}         # the short form: client key to upstream key
\`\`\`

Without \`keys\` and \`api_keys\`, clients' own keys pass through, and each is limited by itself. A key without an id is
named \`key-\` and the first twelve digits of its HMAC-SHA-256: the same on every instance, and in every order of the file.
Two entries may share neither id nor key. A list of keys that is empty is a mistake, since it would let every key in.
`;

const GOVERNANCE = `
## Teams, tiers, customers, features

\`\`\`yaml
tiers:                                     # named sets of limits
  free: { requests_per_minute: 20, concurrent_requests: 2, models: ["gpt-4o-mini"] }
  pro: { requests_per_second: 20, model_tokens_per_minute: 400000 }
teams:
  search:
    limits: { model_tokens_per_day: 5000000 }         # the team's keys together; or a \`tier\` of their own
    each_key: { requests_per_second: 5 }              # each of them
    models: ["gpt-4o*", "!*-audio*"]                  # what they may call; ! forbids, in capitals too. Others get a 404, as for a model that isn't there
    features:                                         # by the header x-nexus-feature
      autocomplete: { limits: { model_tokens_per_day: 100000 } }
    customers:                                        # by the header x-nexus-customer
      tier: free                                      # each customer by itself
      tiers: { acme: pro, "vip-*": pro }              # the first pattern that matches a name wins
      tier_by_header: { keys: [search-prod], tiers: [free, pro] }   # these keys may say it themselves, by x-nexus-tier
keys:
  - { id: search-prod, key_hash: "hmac-sha256:…", team: search, tier: pro, models: ["gpt-4o"] }
\`\`\`

A request is charged to its key, team, feature, customer and model and to the gateway, wherever these have limits: all or none. A key's limits are, each
over those before it by name: the \`limits\` at the top, its team's \`each_key\`, its tier's, its own. \`unlimited\` lifts one.
Customers are named by their team's keys alone; \`from: body.user\` or \`from: body.safety_identifier\` takes the name from the body instead of the header. A customer
may call the models that its key and its own tier both allow. \`tier_by_header\` lists keys, listed and issued ones, by their ids or patterns such as \`backend-*\`: their
\`x-nexus-tier\` goes before every other rule, and one that names none of the \`tiers\` there (absent: of all) is a 400 \`invalid_tier\`. From any other key the header means nothing. A
customer's use is one, whatever tier it comes with. None of these headers leaves Nexus.
\`key_hash\` stands in place of \`key\`, so that the file holds no secret: the HMAC-SHA-256 that \`nexus keys hash\` prints.
`;

const MONEY = `
## Money

\`usd_per_day\` and \`usd_per_month\` are budgets: \`50\`, \`0.25\` or \`{ limit: 50, alert_at: [50%, 80%, 100%] }\`, in US dollars with nine decimals at most, for a key, a
team, a feature, a customer (by its tier), a model or the gateway. What a call may cost is reserved before it goes and settled by what it cost, in integer nano-dollars. A budget that
is spent answers 429 \`insufficient_quota\` until the day or month ends, or until it is raised: here, or while Nexus runs ([budgets.md](budgets.md)). What [isn't read](#what-is-read) and what has no price is charged nothing,
and refused like all else once a budget is spent; only looking and deleting (GET, HEAD, DELETE) go on. A call's answer says in \`x-nexus-cost\` what it cost, where that is known when its head goes; a stream says it in a
comment behind its last event, to a client that sends \`x-nexus-cost: comment\`.

However many calls come at once, and to however many gateways, they can't overspend a budget together: with \`reserve: strict\` by nothing, as far as the prompt is counted as its maker counts it. A call that
doesn't say how long its answer may be then holds the price of 128,000 tokens, the longest answer that there is: say \`max_tokens\`. An image can't say it, and holds as much. With \`reserve: learned\`, the default, by no more than what the answers that are under
way cost beyond what is held for them; nothing more passes until the day or month ends.

Prices are the published ones of the models' makers, by date; \`prices\` overrides and adds:

\`\`\`yaml
prices:
  my-model:                              # a name, or a pattern such as my-*
    - { input_usd_per_million: 0.5, cached_input_usd_per_million: 0.1, output_usd_per_million: 1.5 }
    - { from: 2026-11-01, input_usd_per_million: 0.4, output_usd_per_million: 1.2 }   # from that day on, UTC
  my-azure-deployment: { same_as: gpt-4o }
unknown_model: tokens_only               # or refuse, or assume:gpt-4o
alerts: { webhook: "https://hooks.company.com/nexus", secret: "\${ALERT_SECRET}", format: json }   # json or slack
\`\`\`

A price may name ${PRICE_AMOUNTS.map(([name]) => `\`${name}\``).join(', ')}. What it doesn't name costs what the nearest one costs: cached input as input, reasoning as output.
A \`service_tier\` in a request changes no price: \`flex\` is counted as dearer than it is, \`priority\` as cheaper. Where a team uses it, give the model the dearer price.
\`alert_at\` also works at a day's or month's requests and tokens. Each threshold is told once in its day or month, in the log and to \`alerts.webhook\`.
`;

const LEDGER = `
## The ledger

\`\`\`yaml
ledger:
  path: ./nexus.db                       # of a process that has no redis_url
  postgres_url: \${DATABASE_URL:-}       # postgres://user:password@host:5432/database, or file:/run/secrets/database_url
  keep: 400d
  queue: 100000                          # how many records may wait while they can't be kept; 200000 with redis_url
\`\`\`

With \`ledger\` (\`ledger: {}\` is enough), each settled request leaves one record: who, for whom, which model, its tokens by class, its cost. It is kept in PostgreSQL where
\`postgres_url\` is set, else in the file of a process that is alone, else as sums of days in Redis. \`nexus usage\` reports from it; [ledger.md](ledger.md) says more.
Its days are those of \`time_zone\`.
`;

const UPSTREAMS = `
## Upstreams

\`\`\`yaml
target_url: https://api.openai.com         # beside upstreams: takes what matches none of them, and is named default
upstreams:
  - name: openai
    target_url: https://api.openai.com
    keys: ["\${OPENAI_KEY_1}", "\${OPENAI_KEY_2}"]   # in place of the clients'; absent: the client's own key passes
    models: ["gpt-*", "o*", "!gpt-3.5*"]   # absent: all
    retry: { on: [429, 5xx], attempts: 2 } # absent: what was sent is never sent to it again
    fallback: azure                        # on a connection that fails, an open breaker, keys that all cool off
    fallback_on: [429, 5xx]                # and after these answers
  - name: azure
    target_url: https://company.openai.azure.com/openai
    keys: [file:/run/secrets/azure_key]
    models: ["gpt-*"]
  - name: anthropic
    target_url: https://api.anthropic.com
    keys: ["\${ANTHROPIC_KEY}"]
    paths: [/v1/messages]                  # prefixes in whole segments; absent: all
\`\`\`

The first entry whose \`paths\` and \`models\` match takes a request; without \`target_url\`, what matches none is a 404. [upstreams.md](upstreams.md) says more.
`;

const REDIS = `
## Redis

\`\`\`yaml
redis_url: rediss://nexus:\${REDIS_PASSWORD}@redis:6380/0  # rediss:// is TLS; file:/run/secrets/redis_url keeps it out of the file
redis: { ca_file: redis-ca.pem }                         # whom to trust in place of the system's authorities

redis:                                                   # or Sentinel, in place of redis_url
  sentinels: [sentinel-1:26379, sentinel-2:26379, sentinel-3:26379]
  name: nexus                                            # the master that they watch
  username: nexus
  password: \${REDIS_PASSWORD}
  sentinel_password: \${SENTINEL_PASSWORD}                # and sentinel_username
  tls: true                                              # with ca_file and server_name, where needed

redis:                                                   # or a cluster: some of its nodes
  cluster: [redis-1:6379, redis-2:6379, redis-3:6379]
\`\`\`

\`redis.command_timeout\` (default \`75ms\`, at most \`2s\`) is how long Redis may take to answer: then \`on_redis_failure\` says what
becomes of the request. Raise it where Redis is far away, or where the gateways share their processors with others.

Every instance of a cluster has the same limits and the same Redis. \`redis.key_prefix\` (default \`nexus\`) keeps two deployments apart that
share one. The Redis must have \`maxmemory-policy noeviction\` and is not shared with a cache. It holds hashes and numbers, no key and no prompt.
`;

/** docs/configuration.md, made from the schema. */
export function configurationMarkdown(): string {
  const scalars = SCALAR_ENTRIES.map(({ path, format, shown, env, arg, doc }) => {
    const standard = shown === '' ? 'none' : `\`${shown}\``;
    const { title } = FORMATS[format];
    return `| \`${path}\` | ${title} | ${standard} | ${doc} | \`${env}\`<br>\`--${arg}\` |\n`;
  });
  const lists = Object.entries({ ...LIST_SHAPES, ...GROUP_LISTS }).map(
    ([name, shape]) => `| \`${name}\` | ${shape.description ?? ''} |\n`,
  );
  const limits = [...LIMIT_KINDS.keys()].map((name) => `| \`${name}\` | ${meaningOf(name)} |\n`);
  const later = [...LATER].map(([scope, names]) => {
    const list = [...names].map((name) => `\`${name}\``).join(', ');
    return `| ${SCOPE_TITLES.get(scope) ?? scope} | ${list} |\n`;
  });
  return [
    INTRODUCTION,
    '\n| setting | value | default | meaning | environment, flag |\n|---|---|---|---|---|\n',
    ...scalars,
    '\n## Lists and mappings\n\nThese stand in the file alone.\n\n| setting | meaning |\n|---|---|\n',
    ...lists,
    LIMITS,
    ...limits,
    READ,
    KEYS,
    GOVERNANCE,
    MONEY,
    LEDGER,
    UPSTREAMS,
    REDIS,
    LATER.size === 0
      ? ''
      : '\n## Not in this version\n\nThese names are refused, never read and ignored.\n\n| where | names |\n|---|---|\n',
    ...later,
  ].join('');
}

const SCOPE_TITLES = new Map([
  ['file', 'the file'],
  ['admin', '`admin`'],
  ['key', 'an entry of `keys`'],
  ['limits', '`limits`'],
  ['limit', '`{ limit, burst }`'],
]);

function meaningOf(name: string): string {
  const kind = LIMIT_KINDS.get(name);
  if (kind?.kind === 'concurrency') return 'Requests under way at once.';
  if (name === 'max_request_tokens') return "One request's tokens, prompt and answer together.";
  if (kind?.kind === 'size') return "One answer's tokens.";
  const [what, period] = name.split('_per_');
  const nouns = new Map([
    ['requests', 'Requests'],
    ['model_tokens', 'Tokens, prompt and answer together,'],
    ['input_tokens', 'Tokens of prompts'],
    ['output_tokens', 'Tokens of answers'],
    ['usd', 'US dollars'],
  ]);
  return `${nouns.get(what ?? '') ?? ''} per ${kind?.kind === 'calendar' ? `calendar ${period}` : period}.`;
}
