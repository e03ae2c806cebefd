import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RecordedRequest, type Simulator, startSimulator } from '@nexus/simulator';
import { startProcess, until } from '@nexus/testkit';

/** A line of the gateway's log about one request. */
export type RequestLine = Readonly<Record<string, unknown>>;

/** What the upstream gets in place of a client's own key. */
export const UPSTREAM_KEY = 'sk-upstream-3f9c1e7a5b2d';

/** The limits of a client's keys, by what they are for. */
const KEYS = {
  mapped: `upstream_key: ${UPSTREAM_KEY}`,
  /** One request, and one more each 1.5 seconds. */
  short: 'limits: { requests_per_minute: { limit: 40, burst: 1 } }',
  hourly: 'limits: { requests_per_hour: 1 }',
  daily: 'limits: { requests_per_day: 1 }',
  small: 'limits: { model_tokens_per_minute: 300 }',
  whispers: 'models: ["whisper-*"]',
  chats: 'models: ["gpt-*", "claude-*"]',
} as const;

export type KeyPurpose = keyof typeof KEYS;

/** The key of a client for a purpose, as `startGateway` lists it. */
export function keyOf(client: string, purpose: KeyPurpose): string {
  return `sk-${idOf(client, purpose)}`;
}

/** The public name of that key: what the log calls it. */
export function idOf(client: string, purpose: KeyPurpose): string {
  return `${(client.toLowerCase().match(/[a-z0-9]+/g) ?? []).join('-')}-${purpose}`;
}

/** A gateway in a process of its own, in front of a stand-in for OpenAI and Anthropic. */
export interface RunningGateway {
  readonly url: string;
  readonly upstream: Simulator;
  /** The log's lines about the requests of a key, all of those that have ended. */
  linesOf(keyId: string): Promise<readonly RequestLine[]>;
  /** What reaches the upstream during `run`, oldest first. */
  received<T>(run: () => Promise<T>): Promise<{ outcome: T; requests: readonly RecordedRequest[] }>;
  close(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../../gateway/src/main.ts', import.meta.url));

/**
 * Starts a gateway that knows every client's keys and lets other keys pass through as they are. `more`: further lines of its
 * configuration.
 */
export async function startGateway(
  clients: readonly string[],
  more: readonly string[] = [],
): Promise<RunningGateway> {
  const upstream = await startSimulator();
  const folder = await mkdtemp(join(tmpdir(), 'nexus-clients-'));
  const file = join(folder, 'config.yaml');
  const keys = clients.flatMap((client) => [
    ...entry(client, 'mapped'),
    ...entry(client, 'short'),
    ...entry(client, 'hourly'),
    ...entry(client, 'daily'),
    ...entry(client, 'small'),
    ...entry(client, 'whispers'),
    ...entry(client, 'chats'),
  ]);
  const settings = ['listen_port: 0', 'listen_host: 127.0.0.1', `target_url: ${upstream.url}`, ...more];
  if (keys.length > 0) settings.push('require_known_keys: false', 'keys:', ...keys);
  await writeFile(file, `${settings.join('\n')}\n`);
  const cleanUp = async () => {
    await upstream.close();
    await rm(folder, { recursive: true, force: true });
  };
  const gateway = await startProcess({
    command: process.execPath,
    args: [MAIN, '--config', file],
    env: { NODE_OPTIONS: undefined },
    readyWhen: /"message":"listening","url":"([^"]+)"/,
  }).catch(async (error: unknown) => {
    await cleanUp();
    throw error;
  });
  const { url } = gateway;
  if (url === undefined) throw new Error('The gateway did not say where it listens.');

  const lines = () => gateway.stdout.filter((line) => line.includes('"request_id"')).map(parseLine);
  let marks = 0;
  return {
    url,
    upstream,
    linesOf: async (keyId) => {
      // The log is in order: once a request that was made later is in it, every earlier one that has ended is.
      const mark = `/v1/models/mark-${++marks}`;
      await (await fetch(`${url}${mark}`, { headers: { authorization: 'Bearer sk-mark' } })).text();
      await until(() => lines().some((line) => line.path === mark), { withinMs: 5_000 });
      return lines().filter((line) => line.key_id === keyId);
    },
    received: async (run) => {
      const before = upstream.requests.length;
      const outcome = await run();
      return { outcome, requests: upstream.requests.slice(before) };
    },
    close: async () => {
      await gateway[Symbol.asyncDispose]();
      await cleanUp();
    },
  };
}

function entry(client: string, purpose: KeyPurpose): string[] {
  return [`  - id: ${idOf(client, purpose)}`, `    key: ${keyOf(client, purpose)}`, `    ${KEYS[purpose]}`];
}

function parseLine(text: string): RequestLine {
  const line: unknown = JSON.parse(text);
  if (typeof line !== 'object' || line === null) throw new Error(`No JSON object: ${text}`);
  return { ...line };
}
