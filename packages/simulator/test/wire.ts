import { connect, type Socket } from 'node:net';
import { expect } from 'vitest';
import { isObject, type JsonObject } from '../src/prompt.ts';

/** A call's usual body. */
export const chat = (more: object = {}) =>
  JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }], ...more });

export const STREAM_WITH_USAGE = { stream: true, stream_options: { include_usage: true } };

/** POSTs text to the simulator. */
export function post(
  url: string,
  path: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url + path, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-test', ...headers },
    redirect: 'manual',
  });
}

export async function jsonOf(response: Response): Promise<JsonObject> {
  return asObject(JSON.parse(await response.text()));
}

function asObject(value: unknown): JsonObject {
  if (!isObject(value)) throw new Error(`not an object: ${JSON.stringify(value)}`);
  return value;
}

/** What stands under these names and indexes. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let here = value;
  for (const name of path) {
    if (Array.isArray(here) && typeof name === 'number') here = here[name];
    else here = asObject(here)[name];
  }
  return here;
}

/** The parsed data of each event; `[DONE]` and what is no JSON stay strings. */
export function eventsOf(text: string): unknown[] {
  return text
    .split(/\r?\n\r?\n/)
    .flatMap((event) => event.split(/\r?\n/).filter((line) => line.startsWith('data: ')))
    .map((line) => {
      try {
        return JSON.parse(line.slice(6));
      } catch {
        return line.slice(6);
      }
    });
}

/** The usage object of a chat answer. */
export function usageOf(value: unknown): JsonObject {
  const usage = at(value, 'usage');
  expect(isObject(usage)).toBe(true);
  return asObject(usage);
}

export interface RawAnswer {
  /** Everything that came, latin1. */
  readonly text: string;
  /** The sizes of the reads. */
  readonly reads: readonly number[];
  /** How the connection ended; `open` if `until` was met first. */
  readonly end: 'fin' | 'reset' | 'open';
}

/** Sends a request by hand and reads the bare bytes until the connection ends or `until` holds for them. */
export function raw(
  port: number,
  body: string,
  headers: Record<string, string>,
  until: (text: string) => boolean = () => false,
): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, '127.0.0.1');
    let text = '';
    const reads: number[] = [];
    const finish = (end: RawAnswer['end']) => {
      resolve({ text, reads, end });
      socket.destroy();
    };
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      reads.push(chunk.length);
      if (until(text)) finish('open');
    });
    socket.on('end', () => finish('fin'));
    socket.on('error', () => finish('reset'));
    const lines = Object.entries({ host: 'x', 'content-length': `${Buffer.byteLength(body)}`, ...headers });
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
    );
  });
}
