/** The key that the gateway under test knows, and the pipe passes on. */
export const CLIENT_KEY = 'sk-bench-0123456789abcdefghijklmnopqrstuvwxyz';

/** The fields that openai-python sends (3.22, observed), in its order. */
const SDK_FIELDS = [
  'Accept: application/json',
  'Accept-Encoding: gzip, deflate',
  'User-Agent: OpenAI/Python 3.22.0',
  'X-Stainless-Lang: python',
  'X-Stainless-Package-Version: 3.22.0',
  'X-Stainless-OS: Linux',
  'X-Stainless-Arch: x64',
  'X-Stainless-Runtime: CPython',
  'X-Stainless-Runtime-Version: 3.13.1',
  'X-Stainless-Async: false',
  'x-stainless-retry-count: 0',
  'x-stainless-read-timeout: 600',
].join('\r\n');

/** A POST as openai-python writes it, head and body in one piece. */
export function post(path: string, body: string | Buffer, fields: readonly string[] = []): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const own = fields.map((field) => `${field}\r\n`).join('');
  const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\n${SDK_FIELDS}\r\nAuthorization: Bearer ${CLIENT_KEY}\r\n${own}Content-Type: application/json\r\nContent-Length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), bytes]);
}

export const CHAT = '/v1/chat/completions';

const QUESTIONS = [
  'What is the capital of Mongolia, and which river runs through it? Answer in one short sentence.',
  'Rewrite politely: we cannot ship your order number 48213 before the twelfth of next month.',
  'Give me three synonyms of the word "reliable" that fit into a formal letter to a customer.',
  'Is this review positive or negative? "It broke after two days, and nobody answered my mails."',
  'Translate into French: the meeting was moved to Thursday at half past nine in the small room.',
];

/** How many customers of the key's team the calls are for, by turns. */
const CUSTOMERS = 20;

function forCustomer(index: number): string {
  return `x-nexus-customer: customer-${index % CUSTOMERS}`;
}

/** Small chat calls with bodies of some 300 bytes: different texts, so that no cache of one text flatters anybody. */
export function smallChatCalls(): Buffer[] {
  return Array.from({ length: 60 }, (_, index) => post(CHAT, chatBody(index, {}), [forCustomer(index)]));
}

/** A chat call that asks for a stream of so many pieces of text, so far apart. */
export function streamCall(index: number, chunks: number, intervalMs: number): Buffer {
  const fields = [forCustomer(index), `x-bench-chunks: ${chunks}`, `x-bench-interval-ms: ${intervalMs}`];
  return post(CHAT, chatBody(index, { stream: true }), fields);
}

function chatBody(index: number, more: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({
    model: 'gpt-4o-mini',
    messages: [
      { role: 'system', content: 'You are a helpful assistant. Be brief and do not invent facts.' },
      { role: 'user', content: `(${index}) ${QUESTIONS[index % QUESTIONS.length]}` },
    ],
    temperature: 0.2,
    max_tokens: 64,
    ...more,
  });
}
