import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { selfSignedCert } from '@nexus/testkit';

/** An answer, whole. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly agent?: Agent;
  /** The client's own address. */
  readonly from?: string;
}

/** Trusts the certificate of the tests, and keeps connections. Destroy it at the end. */
export function newAgent(maxSockets = 64): Agent {
  return new Agent({ keepAlive: true, maxSockets, ca: selfSignedCert().cert });
}

/** Sends a request and resolves with the head of its answer. The path goes out as it is written. */
export function open(url: string, path: string, ask: Ask = {}): Promise<IncomingMessage> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const req = request(
      {
        host: hostname,
        port,
        path,
        method: ask.method ?? (ask.body === undefined ? 'GET' : 'POST'),
        headers: {
          ...(ask.body === undefined || ask.headers?.['transfer-encoding']
            ? {}
            : { 'content-length': Buffer.byteLength(ask.body) }),
          ...ask.headers,
        },
        agent: ask.agent ?? false,
        ca: selfSignedCert().cert,
        ...(ask.from === undefined ? {} : { localAddress: ask.from }),
      },
      resolve,
    );
    req.once('error', reject);
    req.end(ask.body);
  });
}

/** Sends a request and reads its answer. Rejects where the answer breaks off. */
export async function ask(url: string, path: string, how: Ask = {}): Promise<Answer> {
  const answer = await open(url, path, how);
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  return {
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    text: Buffer.concat(chunks).toString('utf8'),
  };
}

/** What a chat completion is asked with. `more` adds to its body. */
export function chat(more: Record<string, unknown> = {}, headers: Record<string, string> = {}): Ask {
  return {
    headers: { authorization: 'Bearer sk-test-key', 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: 'Hello' }],
      ...more,
    }),
  };
}

/** The error in a body of OpenAI's shape. */
export function errorIn(text: string): Record<string, unknown> {
  const body: unknown = JSON.parse(text);
  const error: unknown =
    typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined;
  if (typeof error !== 'object' || error === null) throw new Error(`No error: ${text}`);
  return { ...error };
}
