import type { Config } from '@nexus/config';
import {
  type Admitted,
  type Denied,
  GatewayError,
  type Limiter,
  type OwnerLimits,
  type Reservation,
} from '@nexus/domain';
import { type LearnedOutput, outputToReserve, sizeRefusal } from '@nexus/limits';
import { type RefusalReply, refusalReply, sizeReply } from '../reply/refusal.ts';
import type { Exchange } from './exchange.ts';

/** What was taken for a request that has not gone upstream yet: `forward` wants one, and gives back no other. */
export interface Held {
  readonly reservation: Reservation;
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
  readonly nowMs: () => number;
}

/** Everyone that a request is charged to: the gateway, its model, its key. */
function ownersOf(exchange: Exchange, config: Config): readonly OwnerLimits[] {
  const owners: OwnerLimits[] = [];
  if (exchange.identity) owners.push(exchange.identity.principal.limits);
  const model = exchange.reading?.model;
  if (model !== undefined)
    for (const entry of config.models) if (entry.matches(model)) owners.push(entry.limits);
  if (config.gateway) owners.push(config.gateway);
  return owners;
}

/**
 * Asks the limiter once for everything that the request takes: itself, its slot, its input and the output to expect.
 * @throws GatewayError `limiter_unavailable`
 */
export async function admit(exchange: Exchange, parts: AdmitParts): Promise<MayPass | MayNotPass> {
  const { config, learned } = parts;
  const owners = ownersOf(exchange, config);
  const { reading, identity } = exchange;
  let outputTokens = 0;
  const inputTokens = reading?.inputTokens ?? 0;
  if (reading) {
    const { statedOutputTokens, choices } = reading;
    if (exchange.kind !== 'embedding') {
      const learnedTokens = learned.expect(identity?.principal.keyId ?? '', reading.model ?? '');
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
      const reply = sizeReply(tooLarge.owner, tooLarge.limit, tooLarge.requested, reading.model);
      return { passes: false, reply };
    }
  }
  exchange.reservedOutputTokens = outputTokens;
  const askedMs = parts.nowMs();
  const decision = await askLimiter(exchange, parts.limiter, owners, {
    requests: 1,
    inputTokens,
    outputTokens,
  });
  exchange.limiterMs = parts.nowMs() - askedMs;
  exchange.decision = decision;
  if (decision.admitted) return { passes: true, held: { reservation: decision.reservation } };
  return { passes: false, reply: refusalReply(decision, reading?.model, Date.now()) };
}

async function askLimiter(
  exchange: Exchange,
  limiter: Limiter,
  owners: readonly OwnerLimits[],
  demand: { requests: number; inputTokens: number; outputTokens: number },
): Promise<Admitted | Denied> {
  try {
    return await limiter.admit({ requestId: exchange.id, owners, demand });
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError('limiter_unavailable', { cause });
  }
}
