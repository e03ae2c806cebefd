import { readBlock, readChoices, type TextSink, WIDTH } from './answer-event.ts';
import { BYTES_PER_TOKEN, type CountText, cutPoint } from './answer-text.ts';
import { isObject, type JsonObject } from './usage-report.ts';
import type { Side } from './usage-sides.ts';

/** So much text (UTF-16 units) is counted at once: some 2 ms. More is counted in turns. */
const AT_ONCE = 16_384;
/** What one turn of the event loop counts. */
const A_TURN = 8_192;
/** No text is cut into shorter parts. */
const SHORTEST_PART = 1_024;

/** The texts of a whole answer, counted without ever blocking the event loop for long. */
export class BodyText implements TextSink {
  readonly #count: CountText;
  #texts: string[] = [];
  #left = 0;
  #counted = 0;

  constructor(count: CountText) {
    this.#count = count;
  }

  addText(_key: number, text: string): void {
    this.#texts.push(text);
    this.#left += text.length;
  }

  /** Exact if the text is small or `settled` has been awaited; until then the rest is estimated. */
  side(): Side {
    if (this.#left <= AT_ONCE) while (this.#left > 0) this.#countSome(AT_ONCE);
    if (this.#left === 0) return { tokens: this.#counted, source: 'counted' };
    return { tokens: this.#counted + Math.ceil(this.#left / BYTES_PER_TOKEN), source: 'estimated' };
  }

  async settled(): Promise<void> {
    while (this.#left > 0) {
      this.#countSome(A_TURN);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #countSome(most: number): void {
    let budget = most;
    while (budget >= SHORTEST_PART) {
      const text = this.#texts.pop();
      if (text === undefined) return;
      const at = text.length > budget ? cutPoint(text, budget >> 1, budget) : text.length;
      this.#counted += this.#count(text.slice(0, at));
      if (at < text.length) this.#texts.push(text.slice(at));
      this.#left -= at;
      budget -= Math.max(at, 1);
    }
  }
}

/** What stands in an output item of the Responses API: message, reasoning, call. */
function readItem(item: JsonObject, key: number, into: TextSink): void {
  for (const field of ['name', 'arguments', 'input', 'code']) {
    const text = item[field];
    if (typeof text === 'string') into.addText(key, text, field);
  }
  for (const parts of [item.content, item.summary]) {
    if (!Array.isArray(parts)) continue;
    for (const part of parts) {
      if (!isObject(part)) continue;
      const text = typeof part.text === 'string' ? part.text : part.refusal;
      if (typeof text === 'string') into.addText(key, text, 'text');
    }
  }
}

/**
 * Hands all text that the model made in a whole answer to `into`, told by the answer's shape. Throws on
 * absurdly deep tool input.
 */
export function readBody(body: JsonObject, into: TextSink): void {
  if (Array.isArray(body.choices)) readChoices(body.choices, into);
  if (Array.isArray(body.output)) {
    body.output.forEach((item: unknown, index) => {
      if (isObject(item)) readItem(item, index * WIDTH, into);
    });
  }
  if (Array.isArray(body.content)) {
    body.content.forEach((block: unknown, index) => {
      if (!isObject(block)) return;
      readBlock(block, index * WIDTH, into);
      if (isObject(block.input)) into.addText(index * WIDTH, JSON.stringify(block.input), 'input');
    });
  }
}
