import type { TierLimits } from './limits.ts';
import type { TierName } from './tiers.ts';

/** How a simulator behaves. Everything has a default. */
export interface SimulatorOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Wait before each answer's head. Default 0. */
  readonly latencyMs?: number;
  /** Pace of streams; 0 (default): one token each turn of the loop, as fast as the reader reads. */
  readonly tokensPerSecond?: number;
  /** Tokens of an answer unless the request says less. Default 16. */
  readonly outputTokens?: number;
  /** Keep what came in `requests`: the last 1,000, their bodies up to 64 MB together. Default true; switch off to measure. */
  readonly record?: boolean;
  /** When given, any other credential gets OpenAI's 401. */
  readonly apiKeys?: readonly string[];
  /**
   * Limits for each credential and model, as OpenAI's limiter keeps them: those of one of its tiers, or the same for every model.
   * Default: none; the headers show nominal ones.
   */
  readonly tier?: TierLimits | TierName;
  /** Tokens after which a credential is answered `insufficient_quota` for good, counted as the limits count them. Default: none. */
  readonly quotaTokens?: number;
  /** Larger bodies get 413. Default 64 MB. */
  readonly bodyLimitBytes?: number;
  /** The clock of the tier's buckets and of Anthropic's reset times. Default Date.now. */
  readonly nowMs?: () => number;
}

export type Settings = Required<Omit<SimulatorOptions, 'apiKeys'>> & {
  readonly apiKeys: ReadonlySet<string> | undefined;
};

/** The options with their defaults; throws a RangeError that names the option which is no number ≥ 0. */
export function completeOptions(options: SimulatorOptions): Settings {
  const settings = {
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 0,
    latencyMs: options.latencyMs ?? 0,
    tokensPerSecond: options.tokensPerSecond ?? 0,
    outputTokens: options.outputTokens ?? 16,
    record: options.record ?? true,
    apiKeys: options.apiKeys === undefined ? undefined : new Set(options.apiKeys),
    tier: options.tier ?? {},
    quotaTokens: options.quotaTokens ?? Number.POSITIVE_INFINITY,
    bodyLimitBytes: options.bodyLimitBytes ?? 64 * 1024 * 1024,
    nowMs: options.nowMs ?? Date.now,
  };
  for (const name of ['port', 'latencyMs', 'tokensPerSecond', 'outputTokens', 'bodyLimitBytes'] as const) {
    if (!(settings[name] >= 0 && settings[name] < Infinity)) {
      throw new RangeError(`${name} must be a number of at least 0, not ${settings[name]}.`);
    }
  }
  if (!(settings.quotaTokens >= 0))
    throw new RangeError(`quotaTokens must be a number of at least 0, not ${settings.quotaTokens}.`);
  return settings;
}
