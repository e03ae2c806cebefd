import { Agent, request } from 'undici';
import { isRecord, numberIn, type Rec, textIn } from './record.ts';

/** How a call ended for its client. */
export type CallEnd =
  /** A whole answer of the upstream. */
  | 'whole'
  /** A 429 of Nexus. */
  | 'refused'
  /** Another error in OpenAI's shape. */
  | 'error'
  /** The connection broke in the middle of the answer, or the stream told of an error: no client takes it for whole. */
  | 'broken'
  /** The connection broke, or couldn't be made, before there was an answer. */
  | 'unreached'
  /** The client left it. */
  | 'left'
  /** Something that looks whole and isn't. Must not be. */
  | 'truncated'
  /** Nothing came for half a minute. Must not be. */
  | 'hung';

/** One call as its client saw it. Times are `performance.now()`. */
export interface Call {
  /** The `x-request-id` of its answer; where none came, a name of its own. */
  readonly id: string;
  readonly key: string;
  readonly model: string;
  /** Where it was sent. */
  readonly url: string;
  readonly sentMs: number;
  /** The head of the answer was here. Undefined: none came. */
  readonly answeredMs: number | undefined;
  readonly endedMs: number;
  readonly end: CallEnd;
  readonly status: number;
  /** Tokens that it asked for: its prompt and its longest answer. */
  readonly asked: number;
  /** Tokens that the answer reported: input and output. */
  readonly tokens: number;
  /** Of an error. */
  readonly code: string;
  /** `x-nexus-limit` of a refusal. */
  readonly limit: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** What is asked. Every call of one shape costs the same. */
export interface Ask {
  readonly key: string;
  readonly model?: string;
  /** Output tokens; the upstream gives exactly so many. Default 16. */
  readonly tokens?: number;
  /** The `max_tokens` of the call. Default: what the answer has, so that what is held is what is used. */
  readonly states?: number | 'nothing';
  /** Whom it is for, by `x-nexus-customer`. */
  readonly customer?: string;
  /** The upstream waits so long before it answers. */
  readonly latencyMs?: number;
  /** A stream at this pace. Absent: a JSON answer. */
  readonly tokensPerSecond?: number;
  /** The client leaves when so many events of the stream have come. */
  readonly leavesAfter?: number;
}

/** Tokens of the prompt that every call sends, as Nexus and the upstream count it alike. */
export const PROMPT_TOKENS = 8;
const OUTPUT_TOKENS = 16;
/** What a call uses unless it says otherwise. */
export const CALL_TOKENS = PROMPT_TOKENS + OUTPUT_TOKENS;
const HUNG_MS = 30_000;

/** Clients of a cluster: they remember every call. */
export class Clients implements AsyncDisposable {
  readonly calls: Call[] = [];
  readonly #agent = new Agent({
    connections: 128,
    headersTimeout: HUNG_MS,
    bodyTimeout: HUNG_MS,
    connect: { timeout: HUNG_MS },
  });
  readonly #underWay = new Set<Promise<Call>>();
  #sent = 0;

  get underWay(): number {
    return this.#underWay.size;
  }

  /** Calls so far, those under way too. */
  get sent(): number {
    return this.#sent;
  }

  /** Sends one call. Never rejects. */
  send(url: string, ask: Ask): Promise<Call> {
    this.#sent += 1;
    const call = this.#call(`unnamed-${this.#sent}`, url, ask);
    this.#underWay.add(call);
    void call.then((over) => {
      this.#underWay.delete(call);
      this.calls.push(over);
    });
    return call;
  }

  /** Resolves when no call is under way. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  async #call(id: string, url: string, ask: Ask): Promise<Call> {
    const { key, model = 'gpt-4o-mini', tokens = OUTPUT_TOKENS } = ask;
    const sentMs = performance.now();
    const base = { key, model, url, sentMs, asked: PROMPT_TOKENS + tokens };
    let head: { status: number; answeredMs: number; headers: Rec } | undefined;
    const over = (end: CallEnd, more: Partial<Call> = {}): Call => ({
      ...{ ...base, id: textIn(head?.headers ?? {}, 'x-request-id') || id, end },
      ...{ answeredMs: head?.answeredMs, endedMs: performance.now(), status: head?.status ?? 0 },
      ...{ tokens: 0, code: '', limit: '', headers: head?.headers ?? {}, ...more },
    });
    try {
      const answer = await request(`${url}/v1/chat/completions`, {
        method: 'POST',
        dispatcher: this.#agent,
        headers: headersOf(ask),
        body: bodyOf(model, ask),
      });
      head = { status: answer.statusCode, answeredMs: performance.now(), headers: answer.headers };
      let text = '';
      for await (const chunk of answer.body) {
        text += chunk;
        if (ask.leavesAfter !== undefined && text.split('\n\n').length > ask.leavesAfter) return over('left');
      }
      if (head.status !== 200) return over(...errorEnd(head.status, text, head.headers));
      return over(...(ask.tokensPerSecond === undefined ? jsonEnd(text) : streamEnd(text)));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? `${error.code}` : `${error}`;
      if (/TIMEOUT/.test(code)) return over('hung', { code });
      return over(head === undefined ? 'unreached' : 'broken', { code });
    }
  }
}

function headersOf({ key, tokensPerSecond, tokens = OUTPUT_TOKENS, customer, latencyMs }: Ask) {
  return {
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    'x-simulate-tokens': `${tokens}`,
    ...(tokensPerSecond === undefined ? {} : { 'x-simulate-tokens-per-second': `${tokensPerSecond}` }),
    ...(latencyMs === undefined ? {} : { 'x-simulate-latency-ms': `${latencyMs}` }),
    ...(customer === undefined ? {} : { 'x-nexus-customer': customer }),
  };
}

function bodyOf(model: string, { tokens = OUTPUT_TOKENS, states = tokens, tokensPerSecond }: Ask): string {
  return JSON.stringify({
    model,
    messages: [{ role: 'user', content: 'Hello' }],
    ...(states === 'nothing' ? {} : { max_tokens: states }),
    ...(tokensPerSecond === undefined ? {} : { stream: true, stream_options: { include_usage: true } }),
  });
}

type Ended = readonly [CallEnd, Partial<Call>?];

function errorEnd(status: number, text: string, headers: Rec): Ended {
  const body = parsed(text);
  const error = isRecord(body) && isRecord(body.error) ? body.error : undefined;
  if (error === undefined || textIn(error, 'message') === '' || textIn(error, 'type') === '')
    return ['truncated'];
  const told = { code: textIn(error, 'code'), limit: textIn(headers, 'x-nexus-limit') };
  return [status === 429 && textIn(headers, 'x-nexus-source') === 'nexus' ? 'refused' : 'error', told];
}

function jsonEnd(text: string): Ended {
  const tokens = usageIn(parsed(text));
  return tokens === undefined ? ['truncated'] : ['whole', { tokens }];
}

/** A stream is whole with its usage and its last event; an error event in its place says that it isn't. */
function streamEnd(text: string): Ended {
  const events = text
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .map((event) => event.slice(6));
  const bodies = events.map(parsed);
  if (bodies.some((body) => isRecord(body) && isRecord(body.error))) return ['broken'];
  const tokens = bodies.map(usageIn).find((usage) => usage !== undefined);
  if (events.at(-1) !== '[DONE]' || tokens === undefined) return ['truncated'];
  return ['whole', { tokens }];
}

function usageIn(body: unknown): number | undefined {
  if (!isRecord(body) || !isRecord(body.usage)) return undefined;
  return numberIn(body.usage, 'total_tokens');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
