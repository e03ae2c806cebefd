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

let date = '';
let dateUntilMs = 0;

/** The time as answers tell it: it changes once a second. */
function dateNow(): string {
  const nowMs = Date.now();
  if (nowMs >= dateUntilMs) {
    date = new Date(nowMs).toUTCString();
    dateUntilMs = (Math.floor(nowMs / 1_000) + 1) * 1_000;
  }
  return date;
}

/** The head of an answer of api.openai.com but for the framing of its body, and the empty line. */
export function answerHead(n: number, contentType: string): string {
  return `HTTP/1.1 200 OK\r
Date: ${dateNow()}\r
Content-Type: ${contentType}\r
Connection: keep-alive\r
access-control-expose-headers: X-Request-ID\r
openai-organization: org-measured\r
openai-processing-ms: ${400 + (n % 40)}\r
openai-project: proj_0123456789abcdef\r
openai-version: 2020-10-01\r
x-envoy-upstream-service-time: ${414 + (n % 40)}\r
x-ratelimit-limit-requests: 10000\r
x-ratelimit-limit-tokens: 2000000\r
x-ratelimit-remaining-requests: ${9_999 - (n % 100)}\r
x-ratelimit-remaining-tokens: ${1_999_953 - (n % 1_000)}\r
x-ratelimit-reset-requests: 6ms\r
x-ratelimit-reset-tokens: 1ms\r
x-request-id: ${requestId(n)}\r
cf-cache-status: DYNAMIC\r
strict-transport-security: max-age=31536000; includeSubDomains; preload\r
x-content-type-options: nosniff\r
server: cloudflare\r
`;
}

/** A short chat completion with its usage: some 800 bytes. */
export function chatCompletion(n: number): string {
  const id = (n % 1_000_000).toString().padStart(6, '0');
  return JSON.stringify({
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
  });
}

/** What the chunks of one stream have in common. */
function chunk(n: number, rest: string): string {
  const id = (n % 1_000_000).toString().padStart(6, '0');
  return `data: {"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx${id}","object":"chat.completion.chunk","created":1731000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_0123456789",${rest}}\n\n`;
}

/** The `index`-th piece of text of the `n`-th request's stream, padded as OpenAI does against traffic analysis. */
export function textChunk(n: number, index: number, usageAsked: boolean): string {
  const word = WORDS[(n + index) % WORDS.length];
  const usage = usageAsked ? ',"usage":null' : '';
  const padding = 'AbCdEfGhIjKl'.slice(index % 10);
  return chunk(
    n,
    `"choices":[{"index":0,"delta":{"content":" ${word}"},"logprobs":null,"finish_reason":null}]${usage},"obfuscation":"${padding}"`,
  );
}

/** The last pieces, one event each: why it stopped, its usage where it was asked for, and the end. */
export function lastChunks(n: number, pieces: number, usageAsked: boolean): string[] {
  const usage = usageAsked ? ',"usage":null' : '';
  const stopped = chunk(
    n,
    `"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]${usage}`,
  );
  const done = 'data: [DONE]\n\n';
  if (!usageAsked) return [stopped, done];
  const counted = `"choices":[],"usage":{"prompt_tokens":47,"completion_tokens":${pieces},"total_tokens":${47 + pieces},"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}`;
  return [stopped, chunk(n, counted), done];
}
