import type { Usage } from '@nexus/domain';
import type { Price, Rates } from './price.ts';

const MILLION = 1_000_000;

/** Adds up tokens at rates exactly; rounds once, up, at the end. */
class Charge {
  #nano = 0;
  /** Millionths of a nano-dollar, below 2^53: each addition brings less than 10^12. */
  #rest = 0;

  add(tokens: number, rate: number): void {
    if (tokens === 0 || rate === 0) return;
    const odd = tokens % MILLION;
    const oddRate = rate % MILLION;
    this.#nano += ((tokens - odd) / MILLION) * rate + odd * ((rate - oddRate) / MILLION);
    this.#rest += odd * oddRate;
  }

  addWhole(nano: number): void {
    this.#nano += nano;
  }

  total(): number {
    return this.#nano + Math.ceil(this.#rest / MILLION);
  }
}

function ratesAt(price: Price, inputTokens: number): Rates | undefined {
  return price.steps.findLast((step) => inputTokens > step.aboveInputTokens)?.rates;
}

/**
 * What a usage costs, in nano-dollars: a whole number, rounded up once. Exact for up to 2^32 tokens in all. Parts larger than their
 * wholes are cut to them, so that no token is paid twice.
 * @param calls how many calls to charge for where the price has a fee for each; a usage of source `none` is taken
 *   for no call
 */
export function cost(price: Price, usage: Usage, calls: number = usage.source === 'none' ? 0 : 1): number {
  const rates = ratesAt(price, usage.inputTokens);
  if (rates === undefined) return 0;
  const charge = new Charge();
  chargeInput(charge, rates, usage);
  chargeOutput(charge, rates, usage);
  charge.addWhole(calls * rates.call + (usage.outputParts?.webSearches ?? 0) * rates.webSearch);
  return charge.total();
}

function chargeInput(
  charge: Charge,
  rates: Rates,
  { inputTokens, cachedInputTokens, inputParts }: Usage,
): void {
  if (inputParts === undefined) {
    const cached = Math.min(cachedInputTokens, inputTokens);
    charge.add(inputTokens - cached, rates.input);
    charge.add(cached, rates.cachedInput);
    return;
  }
  const written = Math.min(inputParts.cacheWriteTokens, inputTokens);
  const written1h = Math.min(inputParts.cacheWrite1hTokens, written);
  charge.add(written - written1h, rates.cacheWrite);
  charge.add(written1h, rates.cacheWrite1h);

  const rest = inputTokens - written;
  const audio = Math.min(inputParts.audioTokens, rest);
  const image = Math.min(inputParts.imageTokens, rest - audio);
  const text = rest - audio - image;
  const cached = Math.min(cachedInputTokens, rest);
  // Of what the cache gave, that which isn't said to be audio or image was text, as far as there was text.
  let cachedAudio = Math.min(inputParts.cachedAudioTokens, audio, cached);
  let cachedImage = Math.min(inputParts.cachedImageTokens, image, cached - cachedAudio);
  const cachedText = Math.min(text, cached - cachedAudio - cachedImage);
  cachedImage += Math.min(image - cachedImage, cached - cachedAudio - cachedImage - cachedText);
  cachedAudio += cached - cachedAudio - cachedImage - cachedText;

  charge.add(text - cachedText, rates.input);
  charge.add(cachedText, rates.cachedInput);
  charge.add(audio - cachedAudio, rates.audioInput);
  charge.add(cachedAudio, rates.cachedAudio);
  charge.add(image - cachedImage, rates.imageInput);
  charge.add(cachedImage, rates.cachedImage);
}

function chargeOutput(
  charge: Charge,
  rates: Rates,
  { outputTokens, reasoningTokens, outputParts }: Usage,
): void {
  const audio = Math.min(outputParts?.audioTokens ?? 0, outputTokens);
  const image = Math.min(outputParts?.imageTokens ?? 0, outputTokens - audio);
  const reasoning = Math.min(reasoningTokens, outputTokens - audio - image);
  charge.add(outputTokens - audio - image - reasoning, rates.output);
  charge.add(reasoning, rates.reasoning);
  charge.add(audio, rates.audioOutput);
  charge.add(image, rates.imageOutput);
}

/** How far a call can go: what its usage can be at most. */
export interface Reach {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Searches that the provider may run for it; default 0. */
  readonly webSearches?: number;
  /** false: it cannot write to the provider's cache. Where cache writes are dearer than input, this halves the worst case. */
  readonly cacheWrites?: boolean;
  /** false: it neither holds nor brings audio. */
  readonly audio?: boolean;
  /** false: it neither holds nor brings images. */
  readonly images?: boolean;
}

/**
 * The most that a call within this reach can cost, in nano-dollars: never less than `cost` of any usage within it, of
 * whatever classes its tokens may turn out to be. For reservations.
 */
export function worstCost(price: Price, reach: Reach): number {
  let worst = 0;
  for (const { aboveInputTokens, rates } of price.steps) {
    if (aboveInputTokens >= reach.inputTokens) break;
    const charge = new Charge();
    charge.add(reach.inputTokens, dearestInput(rates, reach));
    charge.add(reach.outputTokens, dearestOutput(rates, reach));
    charge.addWhole(rates.call + (reach.webSearches ?? 0) * rates.webSearch);
    worst = Math.max(worst, charge.total());
  }
  return worst;
}

function dearestInput(rates: Rates, { cacheWrites, audio, images }: Reach): number {
  let dearest = Math.max(rates.input, rates.cachedInput);
  if (cacheWrites !== false) dearest = Math.max(dearest, rates.cacheWrite, rates.cacheWrite1h);
  if (audio !== false) dearest = Math.max(dearest, rates.audioInput, rates.cachedAudio);
  if (images !== false) dearest = Math.max(dearest, rates.imageInput, rates.cachedImage);
  return dearest;
}

function dearestOutput(rates: Rates, { audio, images }: Reach): number {
  let dearest = Math.max(rates.output, rates.reasoning);
  if (audio !== false) dearest = Math.max(dearest, rates.audioOutput);
  if (images !== false) dearest = Math.max(dearest, rates.imageOutput);
  return dearest;
}
