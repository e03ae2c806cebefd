import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { readSse } from '@nexus/testkit';
import { z } from 'zod';
import { type Call, type Client, type Collected, collect, type Failure, plainFailure } from './client.ts';
import { bytesOf, ChatAnswer, ChatChunk, EMBEDDING_MODEL, MODEL } from './node-sdks/shapes.ts';

/** An answer of curl's: the head of the last one, should it have tried more than once. */
interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Buffer>;
  /** Resolves with curl's exit code. */
  readonly exit: Promise<number>;
}

/** The API's error, or curl's own. */
class CurlError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

async function curl(call: Call, path: string, args: readonly string[]): Promise<Answer> {
  const headers = Object.entries(call.headers ?? {}).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  // With -v the heads go to standard error, line by line behind `< `, and the bodies to standard output.
  const all = ['-sS', '-v', '-N', '--noproxy', '*', '-H', `Authorization: Bearer ${call.key}`, ...headers];
  if (call.maxRetries) all.push('--retry', String(call.maxRetries));
  all.push(...args, `${call.url}/v1${path}`);
  const child = spawn('curl', all, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? -1));
  });
  const errors: string[] = [];
  const head = new Promise<{ status: number; headers: Record<string, string> }>((resolve, reject) => {
    let status = 0;
    let headers: Record<string, string> = {};
    createInterface({ input: child.stderr }).on('line', (line) => {
      const start = /^< HTTP\/1\.1 (\d{3})/.exec(line);
      const field = /^< ([\w-]+): (.*?)\r?$/.exec(line);
      if (start) [status, headers] = [Number(start[1]), {}];
      else if (field?.[1] !== undefined) headers[field[1].toLowerCase()] = field[2] ?? '';
      else if (/^< \r?$/.test(line) && (status < 400 || !call.maxRetries)) resolve({ status, headers });
      else errors.push(line);
    });
    exit.then(
      () => (status > 0 ? resolve({ status, headers }) : reject(new Error(errors.join('\n')))),
      reject,
    );
  });
  return { ...(await head), body: child.stdout, exit };
}

/** The body of an answer that is over. */
async function whole({ status, headers, body, exit }: Answer): Promise<unknown> {
  const bytes = await bytesOf(body);
  await checkExit(exit);
  // Of several answers, the bodies follow each other.
  const text = bytes.toString();
  const last: unknown = JSON.parse(text.slice(Math.max(0, text.lastIndexOf('}{') + 1)));
  if (status < 400) return last;
  const { error } = ErrorBody.parse(last);
  throw new CurlError({
    isRateLimit: status === 429,
    name: 'HTTP',
    status,
    ...error,
    requestId: headers['x-request-id'],
    headers,
  });
}

async function checkExit(exit: Promise<number>): Promise<void> {
  const code = await exit;
  if (code !== 0) throw new CurlError({ ...plainFailure(undefined), name: `curl ${code}`, message: '' });
}

const ErrorBody = z.object({
  error: z.object({ message: z.string(), type: z.string(), code: z.string().nullable() }),
});

function explain(error: unknown): Failure {
  return error instanceof CurlError ? error.failure : plainFailure(error);
}

function chatBody(call: Call, more: object): string[] {
  const messages = [{ role: 'user', content: call.prompt }];
  const limit = call.maxTokens === undefined ? {} : { max_tokens: call.maxTokens };
  return json({ model: MODEL, messages, ...limit, ...more });
}

function json(body: object): string[] {
  return ['-H', 'Content-Type: application/json', '-d', JSON.stringify(body)];
}

async function stream(call: Call, into: Collected): Promise<void> {
  const asked = call.includeUsage ? { stream_options: { include_usage: true } } : {};
  const answer = await curl(call, '/chat/completions', chatBody(call, { stream: true, ...asked }));
  if (answer.status >= 400) await whole(answer);
  for await (const { data } of readSse(answer.body)) {
    if (data === undefined || data === '[DONE]') continue;
    const seen: unknown = JSON.parse(data);
    const failed = ErrorBody.safeParse(seen);
    if (failed.success) throw new CurlError({ ...plainFailure(undefined), ...failed.data.error });
    const chunk = ChatChunk.parse(seen);
    into.totalTokens = chunk.usage?.total_tokens ?? into.totalTokens;
    into.add(seen, chunk.choices[0]?.delta.content);
  }
  await checkExit(answer.exit);
}

/** Sends a form with a file. */
const upload = (path: string, fields: readonly string[]) => (call: Call, file: string) =>
  collect(async (into) => {
    const args = [...fields, `file=@${file}`].flatMap((field) => ['-F', field]);
    into.add(await whole(await curl(call, path, args)), undefined);
  }, explain);

/** curl, as the start of every tutorial. With --retry it waits the seconds of `retry-after`. */
export const curlClient: Client = {
  name: 'curl',
  api: 'chat',
  retrying: 'if asked',
  asksUsage: 'if told',
  ask: (call) =>
    collect(async (into) => {
      const answer = await curl(call, '/chat/completions', chatBody(call, {}));
      const seen = await whole(answer);
      const { choices, usage } = ChatAnswer.parse(seen);
      into.totalTokens = usage?.total_tokens;
      into.requestId = answer.headers['x-request-id'];
      into.add(seen, choices[0]?.message.content);
    }, explain),
  stream: (call) => collect((into) => stream(call, into), explain),
  embed: {
    formats: ['default', 'base64'],
    run: (call, format) =>
      collect(async (into) => {
        const more = format === 'default' ? {} : { encoding_format: format };
        const body = json({ model: EMBEDDING_MODEL, input: call.prompt, ...more });
        into.add(await whole(await curl(call, '/embeddings', body)), undefined);
      }, explain),
  },
  uploads: {
    'POST /v1/files': upload('/files', ['purpose=fine-tune']),
    'POST /v1/audio/transcriptions': upload('/audio/transcriptions', ['model=whisper-1']),
  },
};
