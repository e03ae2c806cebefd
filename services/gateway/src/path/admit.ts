import type { Config } from '@nexus/config';
import {
  type Decision,
  type Demand,
  GatewayError,
  type Limiter,
  type OwnerLimits,
  type Reservation,
} from '@nexus/domain';
import type { Ledger } from '@nexus/ledger';
import { type LearnedOutput, outputToReserve, sizeRefusal } from '@nexus/limits';
import { hasOutput } from '@nexus/tokens';
import type { BudgetAlerts } from '../alerts/alerts.ts';
import type { ChangedBudgets } from '../budgets/changed-budgets.ts';
import { type RefusalReply, refusalReply, sizeReply } from '../reply/refusal.ts';
import { chargedTo, type Exchange } from './exchange.ts';
import { ownersOf } from './owners.ts';
import { hasBudget, LEAST_NANO_USD, mayCost, mostCost, type Prices } from './price.ts';
import { ShadowTrial } from './shadow.ts';
import type { Turns } from './turns.ts';

/** What was taken for a request that has not gone upstream yet: `forward` wants one, and gives back no other. */
export interface Held {
  readonly reservation: Reservation;
  /** When it may go, by the path's clock (ms); undefined: at once. */
  readonly startMs: number | undefined;
}

/** A request that may go upstream. */
export interface MayPass {
  readonly passes: true;
  readonly held: Held;
}

/** A request that a limit refuses, and what its client is told. */
export interface MayNotPass {
  readonly passes: false;
  readonly reply: RefusalReply;
}

/** What `admit` needs to know. */
export interface AdmitParts {
  readonly config: Config;
  readonly limiter: Limiter;
  readonly learned: LearnedOutput;
  readonly prices: Prices;
  readonly budgets: ChangedBudgets;
  readonly alerts: Pick<BudgetAlerts, 'lookAtRefusal'>;
  /** Absent: nobody keeps records. */
  readonly ledger?: Pick<Ledger, 'isFull'> | undefined;
  readonly turns: Turns;
  readonly nowMs: () => number;
}

/**
 * Asks the limiter once for everything that the request takes: itself, its slot, its input and the output to expect. One that is to
 * wait for its turn holds its slots and tokens meanwhile.
 * @throws GatewayError `limiter_unavailable`, `ledger_unavailable` or `model_not_priced`
 */
export async function admit(exchange: Exchange, parts: AdmitParts): Promise<MayPass | MayNotPass> {
  const { config, learned } = parts;
  const { reading, model, identity } = exchange;
  const owners = ownersOf(chargedTo(exchange), config, parts.budgets);
  // What is charged to a budget must be on record: it is how a budget is accounted for, and what it is restored from.
  if (parts.ledger?.isFull && owners.some(hasBudget)) throw new GatewayError('ledger_unavailable');
  let outputTokens = 0;
  const inputTokens = reading?.inputTokens ?? 0;
  if (reading) {
    const { statedOutputTokens, choices } = reading;
    if (exchange.kind && hasOutput(exchange.kind, reading.stream)) {
      const learnedTokens = learned.expect(identity?.principal.keyId ?? '', model ?? '');
      const policy = config.reserve;
      outputTokens = outputToReserve({
        policy,
        statedOutputTokens,
        choices,
        learnedTokens,
        inputTokens,
        owners,
      });
    }
    const tooLarge = sizeRefusal({
      owners,
      inputTokens,
      statedOutputTokens,
      choices,
      reservedOutputTokens: outputTokens,
    });
    if (tooLarge) {
      const reply = sizeReply(tooLarge.owner, tooLarge.limit, tooLarge.requested, model);
      return { passes: false, reply };
    }
  }
  exchange.reservedOutputTokens = outputTokens;
  const tokens = { inputTokens, outputTokens: outputToPay(exchange, config, outputTokens) };
  const nanoUsd = priced(exchange, parts.prices, owners, tokens);
  const demand = { requests: 1, inputTokens, outputTokens, nanoUsd };
  const decision = await askLimiter(exchange, parts, owners, demand);
  exchange.decision = decision;
  if (!decision.admitted) {
    parts.alerts.lookAtRefusal(decision);
    return { passes: false, reply: refusalReply(decision, model, Date.now()) };
  }
  const trial = ShadowTrial.begin(parts.limiter, exchange.id, owners, demand);
  if (trial) exchange.trial = trial;
  const { reservation, startsInMs } = decision;
  const startMs = startsInMs > 0 ? parts.nowMs() + startsInMs : undefined;
  return { passes: true, held: { reservation, startMs } };
}

/**
 * The longest answer that any published model gives, in tokens: OpenAI's GPT-5 (its page among OpenAI's models), Anthropic's Claude 3.7 Sonnet
 * with `output-128k-2025-02-19`.
 */
const LONGEST_ANSWER = 128_000;

/** Output tokens that budgets must hold: with `reserve: strict` never less than the answer may have, also where the call doesn't say. */
function outputToPay({ reading, kind }: Exchange, { reserve }: Config, outputTokens: number): number {
  if (reserve !== 'strict' || reading === undefined || kind === undefined) return outputTokens;
  if (!hasOutput(kind, reading.stream) || reading.statedOutputTokens !== undefined) return outputTokens;
  return Math.max(outputTokens, LONGEST_ANSWER * Math.max(1, reading.choices));
}

/** Learns what the exchange's model costs, and gives back what to reserve of its owners' budgets. */
function priced(
  exchange: Exchange,
  prices: Prices,
  owners: readonly OwnerLimits[],
  { inputTokens, outputTokens }: { inputTokens: number; outputTokens: number },
): number {
  const nowMs = Date.now();
  const price = prices.find(exchange, owners, nowMs);
  if (price) exchange.price = price;
  if (!owners.some(hasBudget)) return 0;
  if (!price) return mayCost(exchange) ? LEAST_NANO_USD : 0;
  let most = 0;
  for (const one of prices.atAll(exchange, price, nowMs))
    most = Math.max(most, mostCost(one, exchange, inputTokens, outputTokens));
  return most;
}

async function askLimiter(
  exchange: Exchange,
  { limiter, turns, nowMs }: AdmitParts,
  owners: readonly OwnerLimits[],
  demand: Demand,
): Promise<Decision> {
  const askedMs = nowMs();
  const maxWaitMs = turns.enter(exchange);
  let waits = false;
  try {
    const decision = await limiter.admit({ requestId: exchange.id, owners, demand, maxWaitMs });
    waits = decision.admitted && decision.startsInMs > 0;
    return decision;
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError('limiter_unavailable', { cause });
  } finally {
    if (maxWaitMs > 0 && !waits) turns.leave();
    exchange.limiterMs = nowMs() - askedMs;
  }
}
