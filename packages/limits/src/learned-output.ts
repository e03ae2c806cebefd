/** What is expected of the first answers of a key and model: some 750 English words, more than most answers have. */
const SEED_TOKENS = 1_000;
/** Answers remembered for each key and model. The 90th percentile of 20 is the third largest: three long answers raise it. */
const REMEMBERED = 20;
/** Until so many answers are known, the seed stands in for those that are missing. */
const ENOUGH = 5;
const MAX_PAIRS = 10_000;
/** A longer model name is a client's invention; those are learned together, so that none costs memory. */
const MAX_NAME_LENGTH = 128;
const MAX_TOKENS = 2 ** 31;

interface Answers {
  /** Output tokens of the last answers, a ring. */
  readonly tokens: Float64Array;
  /** Answers ever learned. */
  count: number;
  p90: number;
}

/**
 * Remembers how long the answers of each key and model are, to hold the 90th percentile of the last twenty for the next
 * one. It holds at most `maxPairs` pairs; the one used longest ago is forgotten first.
 */
export class LearnedOutput {
  readonly #pairs = new Map<string, Answers>();
  readonly #maxPairs: number;
  readonly #seedTokens: number;
  /** The pair learned last; its place in the order is right already. */
  #newest: string | undefined;

  constructor({
    maxPairs = MAX_PAIRS,
    seedTokens = SEED_TOKENS,
  }: { maxPairs?: number; seedTokens?: number } = {}) {
    this.#maxPairs = maxPairs;
    this.#seedTokens = seedTokens;
  }

  /** Output tokens to expect of one answer (one choice): an integer ≥ 0. */
  expect(keyId: string, model: string): number {
    return this.#pairs.get(pairName(keyId, model))?.p90 ?? this.#seedTokens;
  }

  /** Learns from one answer. A fraction (tokens over choices) is rounded up; NaN and numbers below 0 are passed over. */
  learn(keyId: string, model: string, outputTokens: number): void {
    if (!(outputTokens >= 0)) return;
    const name = pairName(keyId, model);
    const answers = this.#pairs.get(name) ?? { tokens: new Float64Array(REMEMBERED), count: 0, p90: 0 };
    answers.tokens[answers.count % REMEMBERED] = Math.min(Math.ceil(outputTokens), MAX_TOKENS);
    answers.count += 1;
    answers.p90 = this.#p90(answers);
    if (name === this.#newest) return;
    this.#newest = name;
    this.#pairs.delete(name);
    this.#pairs.set(name, answers);
    if (this.#pairs.size <= this.#maxPairs) return;
    for (const oldest of this.#pairs.keys()) {
      this.#pairs.delete(oldest);
      return;
    }
  }

  /** The 90th percentile by nearest rank: of up to twenty answers it is one of the three largest. */
  #p90({ tokens, count }: Answers): number {
    const known = Math.min(count, REMEMBERED);
    const size = Math.max(known, ENOUGH);
    let first = 0;
    let second = 0;
    let third = 0;
    for (let index = 0; index < size; index += 1) {
      const next = index < known ? (tokens[index] ?? 0) : this.#seedTokens;
      if (next <= third) continue;
      if (next <= second) third = next;
      else {
        third = second;
        if (next <= first) second = next;
        else {
          second = first;
          first = next;
        }
      }
    }
    const place = size - Math.ceil(size * 0.9);
    return place === 0 ? first : place === 1 ? second : third;
  }
}

/** One name for the two that no other two share. */
function pairName(keyId: string, model: string): string {
  return `${keyId.length}:${keyId}${model.length > MAX_NAME_LENGTH ? '' : model}`;
}
