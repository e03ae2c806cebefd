import type { Config, Principals } from '@nexus/config';
import type { Customer, Principal, Reservation, Settlement } from '@nexus/domain';
import { MemoryLimiter, sizeRefusal } from '@nexus/limits';
import { cost, PriceList, worstCost } from '@nexus/prices';
import type { ChangedBudgets } from '../budgets/changed-budgets.ts';
import { mayCallModel } from '../path/attribute.ts';
import { ownersOf } from '../path/owners.ts';
import { plainPath, serves } from '../upstream/named-upstream.ts';
import type { LoggedRequest } from './log-lines.ts';

/** What another configuration would have said to one request. */
export interface Verdict {
  readonly request: LoggedRequest;
  /** The limit that would have refused, as owner/name, or why else; undefined: it would have been admitted. */
  readonly refusedBy: string | undefined;
}

/** Longer than any answer takes: a replay renews nothing. */
const LEASE_MS = 24 * 3_600_000;

/**
 * Puts logged requests before the limits of another configuration, at the times at which they came and with what they used: the buckets begin
 * full. What was refused then has used nothing; where it would be admitted, it uses what was estimated of it.
 */
export class Replay {
  readonly #config: Config;
  readonly #principals: Principals;
  readonly #budgets: ChangedBudgets | undefined;
  readonly #limiter: MemoryLimiter;
  readonly #prices: PriceList;
  /** By the origins of upstreams. */
  readonly #providers = new Map<string, string | undefined>();
  /** Requests that are not over, the earliest end first. */
  readonly #open: { readonly endMs: number; readonly reservation: Reservation; readonly used: Settlement }[] =
    [];
  #nowMs = 0;
  #count = 0;

  /** @param budgets what was changed of the configuration's budgets; absent: nothing */
  constructor(config: Config, principals: Principals, budgets?: ChangedBudgets) {
    this.#config = config;
    this.#principals = principals;
    this.#budgets = budgets;
    this.#limiter = new MemoryLimiter({ clock: () => this.#nowMs, leaseMs: LEASE_MS, sliceMs: LEASE_MS });
    this.#prices = new PriceList({ entries: config.prices, unknownModel: config.unknownModel });
  }

  /** The next request, in the order in which they came. */
  async take(request: LoggedRequest): Promise<Verdict> {
    await this.#endUntil(request.startMs);
    const principal = this.#principals.byId(request.keyId ?? '');
    if (principal === undefined) return { request, refusedBy: 'unknown key' };
    const { model } = request;
    const customer = customerOf(request, principal);
    if (model !== undefined && !mayCallModel(model, principal, customer))
      return { request, refusedBy: 'model not allowed' };
    const { feature } = request;
    const charged = { key: principal.limits, team: principal.team, customer, feature, model };
    const owners = ownersOf(charged, this.#config, this.#budgets);
    const { estimatedInputTokens: inputTokens, estimatedOutputTokens: outputTokens } = request;
    const tooLarge = sizeRefusal({
      owners,
      inputTokens,
      statedOutputTokens: undefined,
      choices: 1,
      reservedOutputTokens: outputTokens,
    });
    if (tooLarge) return { request, refusedBy: `${tooLarge.owner}/${tooLarge.limit.name}` };
    this.#count += 1;
    const decision = await this.#limiter.admit({
      requestId: `${this.#count}`,
      owners,
      demand: { requests: 1, inputTokens, outputTokens, nanoUsd: this.#mostCost(request) },
      maxWaitMs: this.#config.maxWaitMs,
    });
    if (!decision.admitted) {
      const { owner, limit } = decision.refusal;
      return { request, refusedBy: `${owner}/${limit.name}` };
    }
    this.#end(request.endMs, decision.reservation, this.#usedBy(request));
    return { request, refusedBy: undefined };
  }

  close(): Promise<void> {
    return this.#limiter.close();
  }

  #usedBy(request: LoggedRequest): Settlement {
    const wasDenied = request.decision === 'denied';
    const inputTokens =
      (wasDenied ? undefined : request.inputTokens) ?? (wasDenied ? request.estimatedInputTokens : 0);
    const outputTokens =
      (wasDenied ? undefined : request.outputTokens) ?? (wasDenied ? request.estimatedOutputTokens : 0);
    const { cachedInputTokens, reasoningTokens } = request;
    const price = this.#priceOf(request);
    const usage = {
      inputTokens,
      outputTokens,
      cachedInputTokens,
      reasoningTokens,
      source: 'reported' as const,
    };
    return {
      inputTokens,
      outputTokens,
      nanoUsd: price && inputTokens + outputTokens > 0 ? cost(price, usage) : 0,
    };
  }

  #mostCost(request: LoggedRequest): number {
    const price = this.#priceOf(request);
    if (price === undefined) return 0;
    const { estimatedInputTokens: inputTokens, estimatedOutputTokens: outputTokens } = request;
    return worstCost(price, { inputTokens, outputTokens, cacheWrites: false, audio: false, images: false });
  }

  #priceOf(request: LoggedRequest) {
    const pricing = this.#prices.pricing(request.model, request.startMs, this.#providerOf(request));
    return 'price' in pricing ? pricing.price : undefined;
  }

  /** Whose prices hold: those of the upstream that was asked, if the configuration still has it, else of the one that it would choose. */
  #providerOf({ upstream, path, model }: LoggedRequest): string | undefined {
    const { upstreams, target } = this.#config;
    const wanted = { path: plainPath(path), isMetered: model !== undefined, model };
    const entry =
      upstreams.find(({ name }) => name === upstream) ?? upstreams.find((one) => serves(one, wanted));
    const { origin } = entry?.target ?? target;
    if (!this.#providers.has(origin)) this.#providers.set(origin, this.#prices.providerAt(origin));
    return this.#providers.get(origin);
  }

  #end(endMs: number, reservation: Reservation, used: Settlement): void {
    let at = this.#open.length;
    while (at > 0 && (this.#open[at - 1]?.endMs ?? 0) > endMs) at -= 1;
    this.#open.splice(at, 0, { endMs, reservation, used });
  }

  async #endUntil(nowMs: number): Promise<void> {
    while ((this.#open[0]?.endMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
      const first = this.#open.shift();
      if (!first) break;
      this.#nowMs = Math.max(this.#nowMs, first.endMs);
      await this.#limiter.settle(first.reservation, first.used);
    }
    this.#nowMs = Math.max(this.#nowMs, nowMs);
  }
}

/** The customer of a request as the configuration has it now: in the tier that a trusted key gave it then, else in that of the rules. */
function customerOf(
  { customer, customerTier, keyId }: LoggedRequest,
  { team }: Principal,
): Customer | undefined {
  const customers = team?.customers;
  if (customer === undefined || !customers) return undefined;
  const named = keyId !== undefined && customers.mayNameTier(keyId) ? customerTier : undefined;
  return customers.find(customer, named) ?? customers.find(customer);
}
