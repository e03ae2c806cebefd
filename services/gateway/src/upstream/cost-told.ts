import type { Usage } from '@nexus/domain';
import type { AnswerFields } from '@nexus/http-client';
import { formatUsd } from '@nexus/prices';
import type { Exchange } from '../path/exchange.ts';
import { costOf } from '../path/price.ts';
import { settling } from '../path/settle.ts';
import type { AnswerWriter } from './answer-writer.ts';
import { isCoded } from './error-coding.ts';

/** On answers: what the call cost, in US dollars. On requests: `comment` asks for it at the end of a stream. */
const COST_HEADER = 'x-nexus-cost';
const EVENT_STREAM = /^text\/event-stream\b/i;

const NEWLINE = 0x0a;

/**
 * Tells the client of one answer what its call cost, in US dollars: in the head, where that still is here at its end; behind the events of a stream in a
 * comment, which no SDK takes for an event, if the client has asked for it. Nothing is told where it isn't known: the model has no price, or the upstream has not
 * said what was used.
 */
export class CostTelling {
  /** Whether the body gets longer. */
  readonly asComment: boolean;
  readonly #exchange: Exchange;
  readonly #isStream: boolean;
  #isLineOpen = false;

  constructor(exchange: Exchange, fields: AnswerFields) {
    this.#exchange = exchange;
    this.#isStream = EVENT_STREAM.test(fields.get('content-type') ?? '');
    const isAsked = exchange.reading?.stream === true && exchange.req.headers[COST_HEADER] === 'comment';
    this.asComment = isAsked && this.#isStream && !isCoded(fields);
  }

  /** Sees what goes to the client. */
  sees(chunk: Uint8Array): void {
    if (this.asComment && chunk.length > 0) this.#isLineOpen = chunk.at(-1) !== NEWLINE;
  }

  /** Tells it, before the answer ends. */
  tell(writer: AnswerWriter, metered: Usage | undefined): void {
    if (!this.asComment && (this.#isStream || !writer.holdsHead)) return;
    const usd = this.#usd(metered);
    if (usd === undefined) return;
    if (!this.asComment) writer.field(COST_HEADER, usd);
    else writer.chunk(Buffer.from(`${this.#isLineOpen ? '\n' : ''}: ${COST_HEADER} ${usd}\n\n`));
  }

  #usd(metered: Usage | undefined): string | undefined {
    const { price } = this.#exchange;
    if (price === undefined || metered?.source !== 'reported') return undefined;
    const end = settling(this.#exchange, metered);
    return end.giveBack ? undefined : formatUsd(costOf(price, end.usage, this.#exchange.upstreamStatus));
  }
}
