import type { Usage } from '@nexus/domain';
import { readEvent } from './answer-event.ts';
import { AnswerRecord } from './answer-record.ts';
import { asBuffer, type CountText } from './answer-text.ts';
import type { Meter } from './meter.ts';
import { type DataPlace, readData } from './sse-data.ts';
import { findNullUsage, NULL_USAGE_BYTES } from './sse-null-usage.ts';
import { Output } from './sse-output.ts';
import { RepeatedEvent } from './sse-repeat.ts';
import { type BlockSink, BlockSplitter } from './sse-split.ts';
import { isObject, type JsonObject } from './usage-report.ts';
import { UsageScan } from './usage-scan.ts';
import type { Side } from './usage-sides.ts';

/** Larger events are scanned for their usage, not parsed. */
const MOST_PARSED_BYTES = 262_144;
/** Where events are held back from the client; larger ones pass as they are. */
const MOST_HELD_BACK_BYTES = 1_048_576;
/** In so many first bytes of a large event stands what kind it is. */
const KIND_BYTES = 1_024;
/** Events that carry text: a chunk with choices, or a delta that isn't audio or an image. */
const TEXT_EVENT = /"choices"|(?<!audio)[._]delta"/;
const BYTE_ORDER_MARK = Buffer.from('\uFEFF');
const MARK_BYTES = BYTE_ORDER_MARK.length;

function parseObject(data: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function beginsWithMark(block: Buffer): boolean {
  return (
    block[0] === BYTE_ORDER_MARK[0] && block[1] === BYTE_ORDER_MARK[1] && block[2] === BYTE_ORDER_MARK[2]
  );
}

/** The chunk that `stream_options.include_usage` adds: no choices, and the usage of all. */
function isUsageChunk(event: JsonObject): boolean {
  return (
    Array.isArray(event.choices) &&
    event.choices.length === 0 &&
    isObject(event.usage) &&
    (event.error === undefined || event.error === null)
  );
}

/** Meters a stream of server-sent events. */
export class StreamMeter implements Meter, BlockSink {
  dataEvents = 0;
  readonly #record: AnswerRecord;
  readonly #hide: boolean;
  readonly #splitter: BlockSplitter;
  readonly #output = new Output();
  readonly #repeated = new RepeatedEvent();
  readonly #place: DataPlace = { lines: 0, start: 0, end: 0 };
  #firstBlock = true;
  /** The last block was kept from the client. */
  #dropped = false;
  #ended = false;
  /** Reads the large event under way. */
  #scan: UsageScan | undefined;
  #scansText = false;

  /**
   * `hide`: take out of the client's bytes what asking for the usage has added.
   * Without `count` no text is counted: only what the upstream reports is used.
   */
  constructor(hide: boolean, input: Side, count: CountText | undefined) {
    this.#hide = hide;
    this.#record = new AnswerRecord(input, count);
    this.#splitter = new BlockSplitter(this, hide ? MOST_HELD_BACK_BYTES : MOST_PARSED_BYTES);
  }

  get finished(): boolean {
    return this.#record.finished;
  }

  write(chunk: Uint8Array): Uint8Array | undefined {
    this.#splitter.push(asBuffer(chunk));
    if (!this.#hide) return chunk;
    const out = this.#output.take();
    // Nothing is ever added: as many bytes from the same place are the same bytes.
    if (out?.length === chunk.length && out.buffer === chunk.buffer && out.byteOffset === chunk.byteOffset) {
      return chunk;
    }
    return out;
  }

  end(): Uint8Array | undefined {
    if (this.#ended) return undefined;
    this.#ended = true;
    this.#splitter.end();
    return this.#hide ? this.#output.take() : undefined;
  }

  outputTokensSoFar(): number {
    return this.#record.roughOutputTokens();
  }

  usage(): Usage {
    return this.#record.usage(this.#ended);
  }

  settled(): undefined {}

  block(bytes: Buffer, start: number, end: number): void {
    this.#dropped = false;
    if (this.#repeated.match(bytes, start, end)) {
      this.dataEvents++;
      const { key, text, cut } = this.#repeated;
      if (text !== '') this.#record.addText(key, text, '');
      if (this.#hide) this.#keep(bytes, start, end, cut);
      return;
    }
    const block = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
    // A byte order mark belongs to the stream, not to its first event.
    const mark = this.#firstBlock && beginsWithMark(block) ? MARK_BYTES : 0;
    this.#firstBlock = false;
    const cut = this.#read(block, mark);
    if (!this.#hide) return;
    if (this.#dropped) this.#output.add(bytes, start, start + mark);
    else this.#keep(bytes, start, end, cut < 0 ? -1 : start + cut);
  }

  part(bytes: Buffer, start: number, end: number, last: boolean): void {
    this.#dropped = false;
    this.#firstBlock = false;
    if (this.#hide) this.#output.add(bytes, start, end);
    const piece = bytes.subarray(start, end);
    if (this.#scan === undefined) {
      this.dataEvents++;
      this.#scan = new UsageScan(true);
      this.#scansText = TEXT_EVENT.test(piece.toString('latin1', 0, KIND_BYTES));
    }
    this.#scan.push(piece);
    if (this.#scansText) this.#record.addUnread(piece.length);
    if (!last) return;
    this.#record.report(this.#scan.found);
    this.#scan = undefined;
  }

  lateLf(bytes: Buffer, at: number): void {
    if (this.#hide && !this.#dropped) this.#output.add(bytes, at, at + 1);
  }

  #keep(bytes: Buffer, start: number, end: number, cut: number): void {
    if (cut < 0) {
      this.#output.add(bytes, start, end);
    } else {
      this.#output.add(bytes, start, cut);
      this.#output.add(bytes, cut + NULL_USAGE_BYTES, end);
    }
  }

  /** Reads the block from `from` on; returns where in it `,"usage":null` is to be cut out, or -1. */
  #read(block: Buffer, from: number): number {
    const data = readData(block, from, this.#place);
    if (data === undefined || data === '') return -1;
    if (data === '[DONE]') {
      this.dataEvents++;
      this.#record.finished = true;
      return -1;
    }
    const event = parseObject(data);
    if (event === undefined) {
      this.dataEvents++;
      return -1;
    }
    if (event.type === 'ping') return -1;
    this.dataEvents++;
    const record = this.#record;
    record.texts = 0;
    readEvent(event, record);
    let cut = -1;
    if (this.#hide && Array.isArray(event.choices)) {
      if (isUsageChunk(event)) this.#dropped = true;
      else if (event.usage === null && this.#place.lines === 1) {
        cut = findNullUsage(block, this.#place.start, this.#place.end);
      }
    }
    const plain =
      record.texts === 1 && !record.finished && (event.usage === null || event.usage === undefined);
    if (plain) this.#repeated.learn(block, record.lastKey, record.lastText, record.lastField, cut);
    return cut;
  }
}
