import type { Usage } from '@nexus/domain';
import { BodyText, readBody } from './answer-body.ts';
import { asBuffer, BYTES_PER_TOKEN, type CountText } from './answer-text.ts';
import type { Meter } from './meter.ts';
import { isObject, type JsonObject, type ReportedUsage, readUsage } from './usage-report.ts';
import { UsageScan } from './usage-scan.ts';
import { joinSides, type Side } from './usage-sides.ts';
import { usageAtEnd } from './usage-tail.ts';

/** Larger bodies are scanned as they go by. Parsing this much takes some 2 ms. */
const MOST_PARSED_BYTES = 262_144;
/** Where the answer has no text to count (embeddings: numbers, of which 256 KB take 5 ms). */
const MOST_PARSED_NUMBERS_BYTES = 16_384;
/** Text of larger bodies isn't counted but estimated, and the body isn't held. */
const MOST_HELD_BYTES = 1_048_576;

/** What was read of a body. */
interface Reading {
  readonly reported: ReportedUsage | undefined;
  /** Its text, where the output wasn't reported. */
  readonly text: BodyText | undefined;
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Meters an answer that is one JSON text. */
export class JsonMeter implements Meter {
  dataEvents = 0;
  finished = false;
  readonly #input: Side;
  readonly #count: CountText | undefined;
  readonly #mostParsed: number;
  readonly #mostHeld: number;
  #held: Buffer[] = [];
  #bytes = 0;
  #scan: UsageScan | undefined;
  #reading: Reading | undefined;

  /** Without `count` an answer without a usage has no output: embeddings, and what isn't a metered call. */
  constructor(input: Side, count: CountText | undefined) {
    this.#input = input;
    this.#count = count;
    this.#mostParsed = count === undefined ? MOST_PARSED_NUMBERS_BYTES : MOST_PARSED_BYTES;
    this.#mostHeld = count === undefined ? MOST_PARSED_NUMBERS_BYTES : MOST_HELD_BYTES;
  }

  write(chunk: Uint8Array): Uint8Array {
    const bytes = asBuffer(chunk);
    this.dataEvents++;
    this.#bytes += bytes.length;
    if (this.#scan === undefined && this.#bytes > this.#mostParsed) {
      this.#scan = new UsageScan(false);
      for (const held of this.#held) this.#scan.push(held);
    }
    this.#scan?.push(bytes);
    if (this.#bytes <= this.#mostHeld) this.#held.push(bytes);
    else this.#held = [];
    return chunk;
  }

  end(): undefined {
    if (this.finished) return;
    this.finished = true;
    this.#reading = this.#read();
    this.#held = [];
  }

  outputTokensSoFar(): number {
    return this.#reading === undefined ? 0 : this.usage().outputTokens;
  }

  usage(): Usage {
    const { reported, text } = this.#reading ?? this.#read();
    return joinSides(reported, this.#input, this.#outputSide(text));
  }

  settled(): Promise<void> | undefined {
    // A body that broke off is read once more, now for good.
    this.#reading ??= this.#read();
    this.#held = [];
    return this.#reading.text?.settled();
  }

  #outputSide(text: BodyText | undefined): Side {
    if (this.#count === undefined) return { tokens: 0, source: 'reported' };
    if (text !== undefined) return text.side();
    return { tokens: Math.ceil(this.#bytes / BYTES_PER_TOKEN), source: 'estimated' };
  }

  #read(): Reading {
    const scanned = this.#scan === undefined ? undefined : readUsage(this.#scan.found);
    if (scanned?.outputTokens !== undefined || this.#held.length === 0 || (this.#scan && !this.#count)) {
      return { reported: scanned, text: undefined };
    }
    const body = this.#held.length === 1 ? this.#held[0] : Buffer.concat(this.#held);
    if (this.finished && body !== undefined && scanned === undefined) {
      const reported = readUsage(usageAtEnd(body));
      if (reported?.outputTokens !== undefined) return { reported, text: undefined };
    }
    const parsed = parseObject(body?.toString('utf8') ?? '');
    if (parsed === undefined) return { reported: scanned ?? this.#scanHeld(), text: undefined };
    const reported = scanned ?? readUsage(parsed.usage);
    if (reported?.outputTokens !== undefined || this.#count === undefined)
      return { reported, text: undefined };
    const text = new BodyText(this.#count);
    try {
      readBody(parsed, text);
    } catch {
      return { reported, text: undefined };
    }
    return { reported, text };
  }

  /** A body that can't be parsed (it broke off, or has a byte order mark) may still hold a usage. */
  #scanHeld(): ReportedUsage | undefined {
    const scan = new UsageScan(false);
    for (const held of this.#held) scan.push(held);
    return readUsage(scan.found);
  }
}
