import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { Call, Outcome, TokenCount, ToldRefusal } from './call.ts';
import { codeOf, connectionProblem } from './connection-problem.ts';
import { type AnswerHeaders, readRefusal } from './judge/refusal.ts';
import { type ListedLimits, nameOf, notNexus, readListedLimits } from './listed-limits.ts';
import { VerifyProblem } from './problem.ts';
import { isRecord } from './record.ts';

/** What is sent: below the address of a place. */
export interface Ask {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** JSON. */
  readonly body?: string;
}

export interface DeploymentOptions {
  /** Origins with a path or none, without a slash at the end: `https://nexus.company.com`. The first is the front door. */
  readonly urls: readonly string[];
  readonly key: string;
  /** For `/nexus/limits?model=`. */
  readonly model: string;
  /** PEM of the authorities to trust in place of the system's. */
  readonly ca?: string | undefined;
  /** Connections to each address, at most. */
  readonly connections: number;
}

/** An answer of the deployment with its whole body. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: string;
}

/** Nobody waits longer than this for a head, or between two pieces of a body. */
const PATIENCE_MS = 60_000;
/** A limiter that lost its store has it back, or decides without it, well within this time. */
const BACK_WITHIN_MS = 5_000;
const ASK_AGAIN_MS = 200;
/** Of a body no more than this is kept; the rest is read and dropped. */
const KEPT_CHARACTERS = 1_000_000;
/** Says whose an error is: every 429 of Nexus has it, a proxy's has not. */
const OWN_HEADER = 'x-nexus-source';

/** A running deployment as its clients see it: one address or several. */
export class Deployment {
  readonly urls: readonly string[];
  readonly #key: string;
  readonly #model: string;
  readonly #agent: Agent;
  readonly #beganMs = performance.now();
  /** The limits that a refusal may name. */
  readonly #known = new Set<string>();

  constructor({ urls, key, model, ca, connections }: DeploymentOptions) {
    this.urls = urls;
    this.#key = key;
    this.#model = model;
    this.#agent = new Agent({
      connections,
      headersTimeout: PATIENCE_MS,
      bodyTimeout: PATIENCE_MS,
      connect: { timeout: 10_000, ...(ca === undefined ? {} : { ca }) },
    });
  }

  /** Milliseconds since the run began, by a clock that never jumps. */
  nowMs(): number {
    return performance.now() - this.#beganMs;
  }

  /**
   * What the key may do, as one place says it. A place that cannot check its limits (503) is asked again for a while.
   * @throws VerifyProblem with what to do
   */
  async limits(place: number): Promise<ListedLimits> {
    const url = this.urls[place] ?? '';
    const path = `/nexus/limits?model=${encodeURIComponent(this.#model)}`;
    for (const endMs = this.nowMs() + BACK_WITHIN_MS; ; await sleep(ASK_AGAIN_MS)) {
      const sentMs = this.nowMs();
      const { status, headers, body } = await this.ask(place, { method: 'GET', path });
      const answeredMs = this.nowMs();
      const isOwn = headers['x-request-id'] !== undefined;
      if (status === 503 && isOwn && answeredMs < endMs) continue;
      if (status !== 200 || !isOwn) throw new VerifyProblem(`${url} ${noLimits(status, isOwn)}`);
      const listed = named(url, () => readListedLimits(body, sentMs, answeredMs));
      for (const view of listed.buckets) this.#known.add(nameOf(view));
      for (const name of listed.ceilings) this.#known.add(name);
      return listed;
    }
  }

  /** Sends one call and reads its whole answer. @throws VerifyProblem if the place can't be reached */
  async ask(place: number, ask: Ask): Promise<WholeAnswer> {
    try {
      const answer = await this.#send(place, ask);
      const body = await wholeText(answer.body);
      return { status: answer.statusCode, headers: answer.headers, body };
    } catch (error) {
      throw connectionProblem(this.urls[place] ?? '', error);
    }
  }

  /**
   * Sends one call and notes what happened to it; a failure is noted too. `leave` ends it early: the connection is closed
   * and what came until then stands.
   */
  async call(place: number, ask: Ask, leave?: AbortSignal): Promise<Call> {
    const sentMs = this.nowMs();
    let answeredMs: number | undefined;
    let outcome: Outcome = 'other';
    try {
      const answer = await this.#send(place, ask, leave);
      answeredMs = this.nowMs();
      outcome = outcomeOf(answer.statusCode, answer.headers);
      const body = await wholeText(answer.body);
      const times = { place, sentMs, answeredMs, endedMs: this.nowMs() };
      if (outcome === 'admitted') return { ...times, outcome, ...usageIn(body) };
      if (outcome === 'other') return { ...times, outcome, why: `HTTP ${answer.statusCode}` };
      return { ...times, outcome, refusal: this.#refusal(answer.headers, body) };
    } catch (error) {
      const endedMs = this.nowMs();
      const times = { place, sentMs, answeredMs: answeredMs ?? endedMs, endedMs };
      return { ...times, outcome: outcome === 'admitted' ? outcome : 'other', why: codeOf(error) };
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  #refusal(headers: AnswerHeaders, body: string): ToldRefusal {
    return readRefusal(headers, body, this.#known);
  }

  #send(place: number, { method, path, body }: Ask, signal?: AbortSignal) {
    return request(`${this.urls[place]}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: {
        authorization: `Bearer ${this.#key}`,
        'user-agent': 'nexus-verify',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
  }
}

/** Why an answer to `GET /nexus/limits` holds no limits, and what to do. `isOwn`: it is an answer of Nexus. */
function noLimits(status: number, isOwn: boolean): string {
  if (status === 401 && isOwn) return 'does not know this key (401). Give one that the gateway accepts.';
  if (status === 503 && isOwn) return 'cannot check its limits right now (503). Look at its /health.';
  return `answered GET /nexus/limits with ${status}: ${notNexus().message}`;
}

function named<T>(url: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof VerifyProblem ? new VerifyProblem(`${url}: ${error.message}`) : error;
  }
}

function outcomeOf(status: number, headers: AnswerHeaders): Outcome {
  // Every answer that came through Nexus has a request id; a proxy's own page in front of it has not.
  if (status >= 200 && status < 300 && headers['request-id'] !== undefined) return 'admitted';
  return status === 429 && headers[OWN_HEADER] === 'nexus' ? 'refused' : 'other';
}

async function wholeText(body: AsyncIterable<Buffer>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body)
    if (text.length < KEPT_CHARACTERS) text += decoder.decode(chunk, { stream: true });
  return text;
}

/** The usage that a whole JSON answer reports; nothing of a stream, or of an answer without one. */
function usageIn(body: string): { usage?: TokenCount } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return {};
  }
  if (!isRecord(parsed) || !isRecord(parsed.usage)) return {};
  const { prompt_tokens: inputTokens, completion_tokens: outputTokens } = parsed.usage;
  if (!isTokens(inputTokens) || !isTokens(outputTokens)) return {};
  return { usage: { inputTokens, outputTokens } };
}

function isTokens(value: unknown): value is number {
  return Number.isSafeInteger(value) && typeof value === 'number' && value >= 0;
}
