import { z } from 'zod';

/** An error as the SDK raised it, in words that all SDKs share. */
const Failure = z.object({
  /** Whether it is the SDK's own class for a 429: what a program catches to slow down. Without such classes: status 429. */
  isRateLimit: z.boolean(),
  /** The class, or curl's exit code. */
  name: z.string(),
  message: z.string(),
  status: z.number().nullish(),
  code: z.string().nullish(),
  type: z.string().nullish(),
  requestId: z.string().nullish(),
  /** Of the answer that failed, where the SDK shows them: names in lower case. */
  headers: z.record(z.string(), z.string()).default({}),
});

export type Failure = z.infer<typeof Failure>;

const Outcome = z.object({
  /** Everything the SDK gave, as JSON: the whole answer, or each event of a stream. */
  seen: z.array(z.unknown()),
  /** The text: of a stream in the pieces that came. */
  pieces: z.array(z.string()),
  /** When each piece came, in milliseconds on a clock of the client's own. */
  arrivedMs: z.array(z.number()),
  /** All tokens of the usage that the SDK gave; absent if it gave none. */
  totalTokens: z.number().nullish(),
  /** The request id of an answer, where the SDK shows it. */
  requestId: z.string().nullish(),
  /** What the SDK raised, before or in the middle of the answer. */
  failure: Failure.nullish(),
});

/** What came of a call, as a program that uses the SDK sees it. */
export type Outcome = z.infer<typeof Outcome>;

/** Reads an outcome that another process wrote. */
export function parseOutcome(json: string): Outcome {
  return Outcome.parse(JSON.parse(json));
}

/** One call, said so that every client can make it. */
export interface Call {
  /** Where the API is: `http://host:port`, without a path. */
  readonly url: string;
  readonly key: string;
  readonly prompt: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Absent: what the SDK does by itself. */
  readonly maxRetries?: number;
  readonly maxTokens?: number;
  /** Streams of chat completions: ask for the chunk with the usage. */
  readonly includeUsage?: boolean;
}

/** How a client treats a 429. */
export type Retrying =
  /** Never tries again by itself. */
  | 'never'
  /** Waits as told and tries again if the program asks for it. */
  | 'if asked'
  /** Waits as told and tries again, unless `x-should-retry: false` says not to. */
  | 'as told'
  /** Waits as told and tries again, whatever `x-should-retry` says. */
  | 'regardless';

/** A published client of the API. Its calls never reject: what the SDK raises is in the outcome. */
export interface Client {
  readonly name: string;
  /** Which call of the API it makes. */
  readonly api: 'chat' | 'responses' | 'messages';
  readonly retrying: Retrying;
  /** Whether its streams ask for the usage chunk: if the program says so, or always. */
  readonly asksUsage: 'if told' | 'always' | 'no such thing';
  /** False if its answers don't show the request id; its errors always do. */
  readonly showsRequestId?: boolean;
  /** Why it can't run on this machine; its tests are skipped then. */
  readonly missing?: string | undefined;
  ask(call: Call): Promise<Outcome>;
  stream(call: Call): Promise<Outcome>;
  /** With the formats that the SDK can ask for; `default` leaves it to the SDK. */
  readonly embed?: {
    readonly formats: readonly ('default' | 'float' | 'base64')[];
    run(call: Call, format: 'default' | 'float' | 'base64'): Promise<Outcome>;
  };
  /** Sends the file with this path. */
  readonly uploads?: Readonly<Record<string, (call: Call, path: string) => Promise<Outcome>>>;
  /** Before its first call, where it is a process of its own. */
  start?(): Promise<void>;
  close?(): Promise<void>;
}

/** An outcome under construction. */
export class Collected {
  readonly #seen: unknown[] = [];
  readonly #pieces: string[] = [];
  readonly #arrivedMs: number[] = [];
  totalTokens: number | undefined;
  requestId: string | null | undefined;

  /** Notes a whole answer or an event of a stream, with the text in it. */
  add(seen: unknown, piece: string | null | undefined): void {
    this.#seen.push(seen);
    if (piece === undefined || piece === null || piece === '') return;
    this.#pieces.push(piece);
    this.#arrivedMs.push(performance.now());
  }

  outcome(failure?: Failure): Outcome {
    // Through JSON, as the outcomes of other processes come: undefined and classes must not make a difference.
    return parseOutcome(
      JSON.stringify({
        seen: this.#seen,
        pieces: this.#pieces,
        arrivedMs: this.#arrivedMs,
        totalTokens: this.totalTokens,
        requestId: this.requestId,
        failure,
      }),
    );
  }
}

/** Runs a call; what it throws becomes the outcome's failure. */
export async function collect(
  run: (into: Collected) => Promise<void>,
  explain: (error: unknown) => Failure,
): Promise<Outcome> {
  const into = new Collected();
  try {
    await run(into);
    return into.outcome();
  } catch (error) {
    return into.outcome(explain(error));
  }
}

/** Header fields of fetch, or of a plain object. */
export function headersOf(headers: unknown): Record<string, string> {
  if (headers instanceof Headers) return Object.fromEntries(headers);
  if (typeof headers !== 'object' || headers === null) return {};
  const texts = Object.entries(headers).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(texts.map(([name, value]) => [name.toLowerCase(), value]));
}

/** What an error is called that has no fields of an API's error. */
export function plainFailure(error: unknown): Failure {
  const name = error instanceof Error ? error.constructor.name : typeof error;
  const message = error instanceof Error ? error.message : String(error);
  return { isRateLimit: false, name, message, headers: {} };
}
