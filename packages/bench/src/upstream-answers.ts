/** What the measuring upstream answers, in the shapes and sizes of OpenAI's chat completions. */

const WORDS = 'the quick brown fox jumps over a lazy dog and then sleeps until tomorrow, maybe longer'.split(
  ' ',
);

function words(from: number, count: number): string {
  return Array.from({ length: count }, (_, index) => WORDS[(from + index) % WORDS.length]).join(' ');
}

/** The `n`-th request's id; as long as OpenAI's. */
function requestId(n: number): string {
  return `req_${n.toString(16).padStart(32, '0')}`;
}

/** The header fields that come with every answer of api.openai.com, as a flat list of names and values. */
export function answerHeaders(n: number, contentType: string): string[] {
  return [
    'content-type',
    contentType,
    'access-control-expose-headers',
    'X-Request-ID',
    'openai-organization',
    'org-measured',
    'openai-processing-ms',
    '417',
    'openai-project',
    'proj_0123456789abcdef',
    'openai-version',
    '2020-10-01',
    'x-envoy-upstream-service-time',
    '431',
    'x-ratelimit-limit-requests',
    '10000',
    'x-ratelimit-limit-tokens',
    '2000000',
    'x-ratelimit-remaining-requests',
    '9999',
    'x-ratelimit-remaining-tokens',
    '1999953',
    'x-ratelimit-reset-requests',
    '6ms',
    'x-ratelimit-reset-tokens',
    '1ms',
    'x-request-id',
    requestId(n),
    'cf-cache-status',
    'DYNAMIC',
    'strict-transport-security',
    'max-age=31536000; includeSubDomains; preload',
    'x-content-type-options',
    'nosniff',
    'server',
    'cloudflare',
  ];
}

/** A short chat completion with its usage: some 800 bytes. */
export function chatCompletion(n: number): Buffer {
  const id = (n % 1_000_000).toString().padStart(6, '0');
  return Buffer.from(
    JSON.stringify({
      id: `chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx${id}`,
      object: 'chat.completion',
      created: 1_731_000_000 + (n % 1_000),
      model: 'gpt-4o-mini-2024-07-18',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: words(n, 12), refusal: null, annotations: [] },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 47,
        completion_tokens: 14,
        total_tokens: 61,
        prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
      },
      service_tier: 'default',
      system_fingerprint: 'fp_0123456789',
    }),
  );
}

/** What the chunks of one stream have in common. */
function chunk(n: number, rest: string): Buffer {
  const id = (n % 1_000_000).toString().padStart(6, '0');
  return Buffer.from(
    `data: {"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx${id}","object":"chat.completion.chunk","created":1731000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_0123456789",${rest}}\n\n`,
  );
}

/** The `index`-th piece of text of the `n`-th request's stream, padded as OpenAI does against traffic analysis. */
export function textChunk(n: number, index: number, usageAsked: boolean): Buffer {
  const word = WORDS[(n + index) % WORDS.length];
  const usage = usageAsked ? ',"usage":null' : '';
  const padding = 'AbCdEfGhIjKl'.slice(index % 10);
  return chunk(
    n,
    `"choices":[{"index":0,"delta":{"content":" ${word}"},"logprobs":null,"finish_reason":null}]${usage},"obfuscation":"${padding}"`,
  );
}

/** The last pieces, one event each: why it stopped, its usage where it was asked for, and the end. */
export function lastChunks(n: number, pieces: number, usageAsked: boolean): Buffer[] {
  const usage = usageAsked ? ',"usage":null' : '';
  const stopped = chunk(
    n,
    `"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]${usage}`,
  );
  const done = Buffer.from('data: [DONE]\n\n');
  if (!usageAsked) return [stopped, done];
  const counted = `"choices":[],"usage":{"prompt_tokens":47,"completion_tokens":${pieces},"total_tokens":${47 + pieces},"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}`;
  return [stopped, chunk(n, counted), done];
}
