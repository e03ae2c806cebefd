import { rawRequest, until } from '@nexus/testkit';
import type { RunningGateway } from '../running-gateway.ts';

/** The admin address on any free port: `openNow` asks there. */
export const ADMIN = "admin: { listen: '127.0.0.1:0' }\n";

/** What a gateway holds right now. */
export interface OpenNow {
  readonly reservations: number;
  readonly requests: number;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new Error('It is no object.');
  return Object.fromEntries(Object.entries(value));
}

/** A JSON object, or an error that shows what came instead. */
export function jsonObject(text: string): Readonly<Record<string, unknown>> {
  try {
    return record(JSON.parse(text));
  } catch {
    throw new Error(`It is no JSON object: ${text.slice(0, 500)}`);
  }
}

/** The `error` of an error's body. */
export function errorIn(text: string): Readonly<Record<string, unknown>> {
  return record(jsonObject(text).error);
}

/** The reservations and requests under way, as the admin address tells them. The gateway needs `ADMIN`. */
export async function openNow({ gateway }: RunningGateway): Promise<OpenNow> {
  if (gateway.adminUrl === undefined) throw new Error('The gateway has no admin address.');
  const health = jsonObject(await (await fetch(`${gateway.adminUrl}/health`)).text());
  const reservations = record(health.limiter).reservations;
  const requests = health.requests_in_flight;
  if (typeof reservations !== 'number' || typeof requests !== 'number') throw new Error('No numbers.');
  return { reservations, requests };
}

/** Waits until nothing is reserved and nothing under way. */
export async function nothingOpen(running: RunningGateway): Promise<void> {
  await until(async () => {
    const { reservations, requests } = await openNow(running);
    if (reservations + requests > 0) throw new Error(`${reservations} reserved, ${requests} under way`);
    return true;
  });
}

/** What is used of each of a key's buckets, by the limit's name. */
export async function usedBy(
  running: RunningGateway,
  headers: Record<string, string> = { authorization: 'Bearer sk-test-key' },
): Promise<ReadonlyMap<string, number>> {
  const answer = await fetch(`${running.url}/nexus/limits`, { headers });
  const { buckets } = jsonObject(await answer.text());
  if (!Array.isArray(buckets)) throw new Error('No buckets.');
  return new Map(
    buckets.map((bucket: unknown) => {
      const { limit, used } = record(bucket);
      return [String(limit).replace(/^.*\//, ''), Number(used)];
    }),
  );
}

/** The bytes of a chat call. */
export function rawChat(body: Record<string, unknown> = {}, headers: readonly string[] = []): string {
  const text = JSON.stringify({
    model: 'gpt-4o-mini',
    messages: [{ role: 'user', content: 'Hello' }],
    ...body,
  });
  return rawPost('/v1/chat/completions', text, headers);
}

/** The bytes of a POST of ASCII text. */
export function rawPost(path: string, body: string, headers: readonly string[] = []): string {
  return [
    `POST ${path} HTTP/1.1`,
    'Host: gateway',
    'Authorization: Bearer sk-test-key',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    ...headers,
    '',
    body,
  ].join('\r\n');
}

/** The bytes of a GET. */
export function rawGet(path: string, headers: readonly string[] = []): string {
  return [
    `GET ${path} HTTP/1.1`,
    'Host: gateway',
    'Authorization: Bearer sk-test-key',
    ...headers,
    '',
    '',
  ].join('\r\n');
}

/** Reads a fetched answer to its end: its text, or `broken` if it breaks off. */
export async function textOrBroken(answer: Response): Promise<string> {
  return answer.text().catch(() => 'broken');
}

/** Sends a plain call and expects it to be answered: whatever came before, the gateway lives. */
export async function lives(running: RunningGateway): Promise<boolean> {
  const { text } = await rawRequest(
    running.port,
    'GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  );
  return text.startsWith('HTTP/1.1 200');
}
