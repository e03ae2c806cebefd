import type { Usage } from '@nexus/domain';
import { BYTES_PER_TOKEN, type CountText, TextCount } from './answer-text.ts';
import { type ReportedUsage, readUsage } from './usage-report.ts';
import { joinSides, type Side } from './usage-sides.ts';

/**
 * What is known of a stream's answer so far: its text, what its upstream reported, whether it said that it is
 * whole.
 */
export class AnswerRecord {
  /** The stream said that it is whole: `[DONE]`, `response.completed` and its like, `message_stop`. */
  finished = false;
  /** Pieces of text since the caller set it to 0, and the last of them: what `sse-repeat.ts` learns from. */
  texts = 0;
  lastText = '';
  lastKey = 0;
  lastField = '';

  readonly #input: Side;
  readonly #text: TextCount | undefined;
  #reported: ReportedUsage | undefined;
  /** There is text that the last report of the output can't have held. */
  #textSince = false;
  #unreadBytes = 0;

  /** Without `count` text is not looked at. */
  constructor(input: Side, count: CountText | undefined) {
    this.#input = input;
    this.#text = count === undefined ? undefined : new TextCount(count);
  }

  /** Text that the model made. `field` is the JSON field that it stood in. */
  addText(key: number, text: string, field: string): void {
    if (this.#text === undefined) return;
    this.texts++;
    this.lastText = text;
    this.lastKey = key;
    this.lastField = field;
    this.#textSince = true;
    this.#text.add(key, text);
  }

  /** Bytes of text that could not be read. */
  addUnread(bytes: number): void {
    if (this.#text === undefined) return;
    this.#unreadBytes += bytes;
    this.#textSince = true;
  }

  /** A `usage` object. The last one that says anything counts; a side it leaves out stays as it was. */
  report(usage: unknown): void {
    const read = readUsage(usage);
    if (read === undefined) return;
    const before = this.#reported;
    const keepInput = read.inputTokens === undefined;
    const keepOutput = read.outputTokens === undefined;
    this.#reported = {
      inputTokens: read.inputTokens ?? before?.inputTokens,
      outputTokens: read.outputTokens ?? before?.outputTokens,
      cachedInputTokens: keepInput ? (before?.cachedInputTokens ?? 0) : read.cachedInputTokens,
      reasoningTokens: keepOutput ? (before?.reasoningTokens ?? 0) : read.reasoningTokens,
      inputParts: keepInput ? before?.inputParts : read.inputParts,
      outputParts: keepOutput ? before?.outputParts : read.outputParts,
    };
    if (!keepOutput) {
      // It is the sum so far: what was counted up to here is in it.
      this.#text?.clear();
      this.#textSince = false;
      this.#unreadBytes = 0;
    }
  }

  /**
   * Anthropic's `message_start`: its input is final, its output is only what had been sampled by then
   * (https://docs.anthropic.com/en/api/messages-streaming).
   */
  reportStart(usage: unknown): void {
    const read = readUsage(usage);
    if (read?.inputTokens === undefined) return;
    this.#reported = {
      ...read,
      outputTokens: this.#reported?.outputTokens,
      reasoningTokens: 0,
      outputParts: this.#reported?.outputParts,
    };
  }

  /**
   * Anthropic's `message_delta`: cumulative, and its input may be left out, partial, or 0 where the start had
   * it.
   */
  reportDelta(usage: unknown): void {
    const start = this.#reported;
    this.report(usage);
    const merged = this.#reported;
    if (start?.inputTokens === undefined || merged === undefined) return;
    if (start.inputTokens > (merged.inputTokens ?? 0)) {
      this.#reported = {
        ...merged,
        inputTokens: start.inputTokens,
        cachedInputTokens: start.cachedInputTokens,
        inputParts: start.inputParts,
      };
    } else if (start.inputTokens === merged.inputTokens && start.inputParts !== undefined) {
      // The same input, of which the delta may tell less: how long the cache keeps it stands in the start alone.
      this.#reported = { ...merged, inputParts: start.inputParts };
    }
  }

  roughOutputTokens(): number {
    return (this.#reported?.outputTokens ?? 0) + (this.#text?.roughTokens() ?? 0) + this.#unreadTokens();
  }

  /**
   * `ended`: no more can come, so a report of the output is final. Without it, text that came after the
   * report is added to it: a stream that carries its usage along broke off between two reports.
   */
  usage(ended: boolean): Usage {
    const reported = this.#reported;
    if (reported?.outputTokens !== undefined && (ended || this.finished || !this.#textSince)) {
      return joinSides(reported, this.#input, { tokens: 0, source: 'reported' });
    }
    const output: Side = {
      tokens: (reported?.outputTokens ?? 0) + (this.#text?.tokens() ?? 0) + this.#unreadTokens(),
      source: this.#text === undefined ? 'reported' : this.#unreadBytes > 0 ? 'estimated' : 'counted',
    };
    return joinSides(
      reported === undefined ? undefined : { ...reported, outputTokens: undefined },
      this.#input,
      output,
    );
  }

  #unreadTokens(): number {
    return Math.ceil(this.#unreadBytes / BYTES_PER_TOKEN);
  }
}
