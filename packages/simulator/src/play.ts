import type { Writable } from 'node:stream';
import type { EventAnswer, WholeAnswer } from './answer.ts';
import type { Exchange } from './exchange.ts';

/** Counts an answer that leaves as a whole. */
export function tallyWhole({ house }: Exchange, { tokens }: WholeAnswer): void {
  if (tokens === undefined) return;
  house.tally.begin(tokens.prompt);
  house.tally.wrote(tokens.completion);
  if (tokens.reported) house.tally.reported(tokens.prompt, tokens.completion);
}

/** Counts what is known only when a stream ends well: what was thought besides the text, and its usage. */
export function tallyEnd({ house }: Exchange, { tokens }: EventAnswer): void {
  house.tally.wrote(tokens.completion - tokens.text);
  if (tokens.reported) house.tally.reported(tokens.prompt, tokens.completion);
}

interface Play {
  /** How many of the answer's pieces are told. */
  readonly pieces: number;
  /** Told before them, in one write. */
  readonly start: string;
  /** What becomes of each event before it is written. */
  readonly dress: ((event: string) => string) | undefined;
}

/**
 * Writes the start and the pieces of a stream at the pace of its exchange, then calls `end`; never again once the client has
 * left. Unpaced, each turn of the event loop writes one event, so that each is a chunk of its own; a full connection is waited
 * for, so a slow reader costs no memory.
 */
export function play(
  exchange: Exchange,
  answer: EventAnswer,
  sink: Writable,
  how: Play,
  end: () => void,
): void {
  const { res, steering, house } = exchange;
  const { dress, pieces } = how;
  const { firstByteMs, tokensPerSecond } = steering;
  const pieceTokens = answer.pieces === 0 ? 0 : answer.tokens.text / answer.pieces;
  const intervalMs = tokensPerSecond > 0 ? 1_000 / tokensPerSecond : 0;
  let timer: NodeJS.Timeout | undefined;
  let startedMs = 0;
  let index = 0;
  let left = false;
  res.once('close', () => {
    left = true;
    clearTimeout(timer);
  });
  const step = () => {
    while (!left) {
      if (index === pieces) {
        end();
        return;
      }
      if (intervalMs > 0) {
        const waitMs = startedMs + index * intervalMs - performance.now();
        if (waitMs > 0) {
          timer = setTimeout(step, Math.max(1, waitMs));
          return;
        }
      }
      const event = answer.piece(index++);
      house.tally.wrote(pieceTokens);
      if (!sink.write(dress === undefined ? event : dress(event))) {
        sink.once('drain', step);
        return;
      }
      if (intervalMs === 0) {
        setImmediate(step);
        return;
      }
    }
  };
  const begin = () => {
    startedMs = performance.now();
    if (how.start !== '') sink.write(how.start);
    step();
  };
  if (firstByteMs === 0) {
    begin();
    return;
  }
  res.flushHeaders();
  timer = setTimeout(begin, firstByteMs);
}
