/** A request as it came. */
export interface RecordedRequest {
  readonly method: string;
  /** The request target as sent, with its query. */
  readonly path: string;
  /** Names and values in their order and spelling. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The bytes as they came, chunk framing removed; empty until the body is whole or the client has left. */
  readonly body: Buffer;
  /** True once the client left before its answer was over. */
  readonly aborted?: boolean;
  /** When its head came, by Date.now(). */
  readonly receivedAtMs: number;
}

/** The recording while the exchange lasts. */
export interface OpenRecord extends RecordedRequest {
  body: Buffer;
  aborted?: boolean;
}

const MAX_REQUESTS = 1_000;
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const EMPTY = Buffer.alloc(0);

/** The last requests, bounded in number and in bytes; the oldest go first, the newest always stays. */
export class Recording {
  #requests: OpenRecord[] = [];
  #bodyBytes = 0;

  get requests(): readonly RecordedRequest[] {
    return this.#requests;
  }

  open(method: string, path: string, rawHeaders: readonly string[]): OpenRecord {
    const headers: [string, string][] = [];
    for (let i = 0; i + 1 < rawHeaders.length; i += 2)
      headers.push([rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '']);
    const record: OpenRecord = { method, path, headers, body: EMPTY, receivedAtMs: Date.now() };
    this.#requests.push(record);
    this.#trim();
    return record;
  }

  setBody(record: OpenRecord, body: Buffer): void {
    if (!this.#requests.includes(record)) return;
    this.#bodyBytes += body.length - record.body.length;
    record.body = body;
    this.#trim();
  }

  #trim(): void {
    while (
      this.#requests.length > 1 &&
      (this.#requests.length > MAX_REQUESTS || this.#bodyBytes > MAX_BODY_BYTES)
    ) {
      this.#bodyBytes -= this.#requests.shift()?.body.length ?? 0;
    }
  }
}
