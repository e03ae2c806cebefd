import { TierLimiter, type TierLimits, type Verdict } from './limits.ts';
import { type TierName, tierLimits } from './tiers.ts';

/** More credentials than a test ever needs; the oldest is forgotten first. */
const MAX_CREDENTIALS = 10_000;

/** What the limits make of a call: `unknown-model` where the tier doesn't have the model, `quota` where what was paid for is used up. */
export type Admission = Verdict | 'unknown-model' | 'quota';

/** What every credential may use, as OpenAI keeps it for an organization: a tier's limits for each model, and a quota for good. */
export class Organizations {
  readonly #tier: TierLimits | TierName;
  readonly #quotaTokens: number;
  readonly #nowMs: () => number;
  readonly #limiters = new Map<TierLimits, TierLimiter>();
  readonly #usedTokens = new Map<string, number>();

  /** @param quotaTokens tokens that a credential may use for good; Infinity: as many as it likes */
  constructor(tier: TierLimits | TierName, quotaTokens: number, nowMs: () => number) {
    this.#tier = tier;
    this.#quotaTokens = quotaTokens;
    this.#nowMs = nowMs;
  }

  /** Takes a request and its tokens, all or nothing. */
  admit(credential: string, model: string, tokens: number): Admission {
    const found =
      typeof this.#tier === 'string' ? tierLimits(this.#tier, model) : { group: model, limits: this.#tier };
    if (found === null) return 'unknown-model';
    if ((this.#usedTokens.get(credential) ?? 0) >= this.#quotaTokens) return 'quota';
    const verdict = this.#limiterOf(found.limits).admit(`${credential}\n${found.group}`, tokens);
    if (verdict.refusal === undefined && this.#quotaTokens < Infinity) this.#use(credential, tokens);
    return verdict;
  }

  #use(credential: string, tokens: number): void {
    const used = this.#usedTokens.get(credential);
    if (used === undefined && this.#usedTokens.size >= MAX_CREDENTIALS) {
      const oldest = this.#usedTokens.keys().next();
      if (!oldest.done) this.#usedTokens.delete(oldest.value);
    }
    this.#usedTokens.set(credential, (used ?? 0) + tokens);
  }

  #limiterOf(limits: TierLimits): TierLimiter {
    let limiter = this.#limiters.get(limits);
    if (limiter === undefined) {
      limiter = new TierLimiter(limits, this.#nowMs);
      this.#limiters.set(limits, limiter);
    }
    return limiter;
  }
}
