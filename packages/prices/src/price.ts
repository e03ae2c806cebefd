/**
 * What one million tokens of each class cost, in nano-dollars; the last two: what one costs. Whole numbers ≥ 0,
 * each given; a class without a price of its own has that of the class it belongs to.
 */
export interface Rates {
  readonly input: number;
  /** Input read from the provider's cache. */
  readonly cachedInput: number;
  /** Input written to the provider's cache. */
  readonly cacheWrite: number;
  /** Input written to the cache for one hour (Anthropic's `ephemeral_1h`). */
  readonly cacheWrite1h: number;
  readonly output: number;
  readonly reasoning: number;
  readonly audioInput: number;
  readonly cachedAudio: number;
  readonly audioOutput: number;
  readonly imageInput: number;
  readonly cachedImage: number;
  readonly imageOutput: number;
  /** One call, whatever it holds. */
  readonly call: number;
  /** One web search that the provider ran for the answer. */
  readonly webSearch: number;
}

export type RateName = keyof Rates;

/** The rates of prompts above a size: the whole call is charged at them, output too. */
export interface PriceStep {
  /** It holds for calls with more input tokens than this; −1 in the first step. */
  readonly aboveInputTokens: number;
  readonly rates: Rates;
}

/** What calls of one model cost at one time. */
export interface Price {
  /** The model or the pattern that it was found under. */
  readonly model: string;
  /** By size, smallest first; never empty. */
  readonly steps: readonly PriceStep[];
}

/**
 * The largest price of a million tokens, in US dollars, that is taken: thrice the dearest ever published ($600). With it
 * a call of 2^32 tokens costs less than 2^53 nano-dollars.
 */
export const MOST_USD_PER_MILLION = 2_000;

/** The largest price of one call, in US dollars. */
export const MOST_USD_PER_CALL = 1_000;

/** The largest price of one web search, in US dollars: a thousand times what any provider takes. */
export const MOST_USD_PER_WEB_SEARCH = 10;

/** Fills the classes that have no price of their own. */
export function ratesOf(own: Partial<Rates>): Rates {
  const input = own.input ?? 0;
  const output = own.output ?? 0;
  const cachedInput = own.cachedInput ?? input;
  const cacheWrite = own.cacheWrite ?? input;
  const audioInput = own.audioInput ?? input;
  const imageInput = own.imageInput ?? input;
  return {
    input,
    cachedInput,
    cacheWrite,
    cacheWrite1h: own.cacheWrite1h ?? cacheWrite,
    output,
    reasoning: own.reasoning ?? output,
    audioInput,
    // A dear kind of input isn't cached at the price of text unless the provider says so.
    cachedAudio: own.cachedAudio ?? (own.audioInput === undefined ? cachedInput : audioInput),
    audioOutput: own.audioOutput ?? output,
    imageInput,
    cachedImage: own.cachedImage ?? (own.imageInput === undefined ? cachedInput : imageInput),
    imageOutput: own.imageOutput ?? output,
    call: own.call ?? 0,
    webSearch: own.webSearch ?? 0,
  };
}

/** A price as it holds from a day on, or during a part of every day. */
export interface PricePeriod {
  /** Milliseconds since 1970; −Infinity for the first known. */
  readonly fromMs: number;
  /** Seconds since midnight, UTC: it holds from `start` to before `end`, over midnight if `end` is smaller. */
  readonly daily?: { readonly start: number; readonly end: number } | undefined;
  readonly price: Price;
}

const DAY_MS = 86_400_000;

/** The last of the periods that holds at a time; undefined before the first. */
export function periodAt(periods: readonly PricePeriod[], atMs: number): PricePeriod | undefined {
  return periods.findLast(
    ({ fromMs, daily }) => atMs >= fromMs && (daily === undefined || holds(daily, atMs)),
  );
}

function holds({ start, end }: { start: number; end: number }, atMs: number): boolean {
  const second = (((atMs % DAY_MS) + DAY_MS) % DAY_MS) / 1_000;
  return end < start ? second >= start || second < end : second >= start && second < end;
}
