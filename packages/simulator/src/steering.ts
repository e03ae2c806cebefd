import type { IncomingHttpHeaders } from 'node:http';
import { FAULTS, type FaultDetail, type FaultQueue, isFaultName } from './faults.ts';
import type { Settings } from './options.ts';

/** How one answer is given: the simulator's settings, unless the request's `x-simulate-*` headers say otherwise. */
export interface Steering {
  /** `x-simulate-latency-ms`: before the answer's head. */
  readonly latencyMs: number;
  /** `x-simulate-first-byte-ms`: between the head and the first byte of the body. */
  readonly firstByteMs: number;
  /** `x-simulate-tokens-per-second`: the pace of a stream; 0 is as fast as the reader reads. */
  readonly tokensPerSecond: number;
  /** `x-simulate-tokens`: the answer's length, before `max_tokens` cuts it. */
  readonly outputTokens: number;
  /** `x-simulate-cached-tokens`: the part of the prompt that the usage calls cached. */
  readonly cachedTokens: number;
  /** `x-simulate-reasoning-tokens`: counted as output besides the text. */
  readonly reasoningTokens: number;
  /** `x-simulate-fault`, with `x-simulate-after-chunks`, `x-simulate-retry-after-ms`, `x-simulate-location`. */
  readonly fault: FaultDetail | undefined;
}

const NUMBERS = {
  latencyMs: 'x-simulate-latency-ms',
  firstByteMs: 'x-simulate-first-byte-ms',
  tokensPerSecond: 'x-simulate-tokens-per-second',
  outputTokens: 'x-simulate-tokens',
  cachedTokens: 'x-simulate-cached-tokens',
  reasoningTokens: 'x-simulate-reasoning-tokens',
  afterChunks: 'x-simulate-after-chunks',
  retryAfterMs: 'x-simulate-retry-after-ms',
} as const;

const TEXTS = ['x-simulate-fault', 'x-simulate-location'];

const KNOWN = new Set<string>([...Object.values(NUMBERS), ...TEXTS]);

/** The longest answer that a request may ask for: 32 MB of text. */
const MAX_TOKENS = 8 * 1024 * 1024;

/** How a request is answered that asks for nothing special. */
export function plainSteering(settings: Settings, fault: FaultDetail | undefined): Steering {
  return {
    latencyMs: settings.latencyMs,
    firstByteMs: 0,
    tokensPerSecond: settings.tokensPerSecond,
    outputTokens: settings.outputTokens,
    cachedTokens: 0,
    reasoningTokens: 0,
    fault,
  };
}

/**
 * Reads the steering headers; a string says what is wrong with them. A request that names its fault (or `none`) takes
 * nothing of the plan.
 */
export function steer(
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
  settings: Settings,
  faults: FaultQueue,
): Steering | string {
  if (!isSteered(rawHeaders)) return plainSteering(settings, faults.take());
  for (const name of Object.keys(headers)) {
    if (name.startsWith('x-simulate-') && !KNOWN.has(name)) {
      return `There is no header ${name}. There are ${[...KNOWN].sort().join(', ')}.`;
    }
  }
  const numbers = new Map<string, number>();
  for (const [key, name] of Object.entries(NUMBERS)) {
    const text = headers[name];
    if (text === undefined) continue;
    const value = typeof text === 'string' && /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (!(value <= MAX_TOKENS)) return `${name} must be a number from 0 to ${MAX_TOKENS}.`;
    numbers.set(key, value);
  }
  const whole = (key: string, otherwise: number) => Math.floor(numbers.get(key) ?? otherwise);
  const fault = faultOf(headers, numbers, faults);
  if (typeof fault === 'string') return fault;
  return {
    latencyMs: numbers.get('latencyMs') ?? settings.latencyMs,
    firstByteMs: numbers.get('firstByteMs') ?? 0,
    tokensPerSecond: numbers.get('tokensPerSecond') ?? settings.tokensPerSecond,
    outputTokens: whole('outputTokens', settings.outputTokens),
    cachedTokens: whole('cachedTokens', 0),
    reasoningTokens: whole('reasoningTokens', 0),
    fault,
  };
}

function faultOf(
  headers: IncomingHttpHeaders,
  numbers: ReadonlyMap<string, number>,
  faults: FaultQueue,
): FaultDetail | undefined | string {
  const name = headers['x-simulate-fault'];
  const location = headers['x-simulate-location'];
  const afterChunks = numbers.get('afterChunks');
  const retryAfterMs = numbers.get('retryAfterMs');
  let base: FaultDetail | undefined;
  if (name === undefined) base = faults.take();
  else {
    if (name === 'none') return undefined;
    if (typeof name !== 'string' || !isFaultName(name)) {
      return `There is no fault ${JSON.stringify(name)}. There are none, ${Object.keys(FAULTS).join(', ')}.`;
    }
    base = { name };
  }
  if (base === undefined) return undefined;
  return {
    ...base,
    ...(afterChunks === undefined ? {} : { afterChunks: Math.floor(afterChunks) }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(typeof location === 'string' ? { location } : {}),
  };
}

/** Looks without building the headers' object or lower-casing: most requests are not steered. */
function isSteered(rawHeaders: readonly string[]): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (
      name !== undefined &&
      name.length > 11 &&
      (name[0] === 'x' || name[0] === 'X') &&
      /^x-simulate-/i.test(name)
    ) {
      return true;
    }
  }
  return false;
}
