import type { Answer } from './answer.ts';
import { type Sure, sureMs } from './answer-decision.ts';
import type { Asking } from './asking.ts';
import type { CompiledOwner } from './compiled-owner.ts';

/** A limit that is changed elsewhere, or a Redis that is emptied, is noticed after this time at the latest. */
const MOST_MS = 1_000;

/** A denial that Redis would give again. */
export interface SureDenial {
  readonly asking: Asking;
  readonly answer: Answer;
  readonly askedMs: number;
  readonly sure: Sure;
}

/**
 * Remembers, for each first owner, its last denial: as long as no end of any request could make room, the same request or a
 * larger one is refused here, without asking Redis.
 */
export class SureDenials {
  readonly #steadyMs: () => number;
  #denials = new WeakMap<CompiledOwner, SureDenial>();

  constructor(steadyMs: () => number) {
    this.#steadyMs = steadyMs;
  }

  /** Takes a denial over. It was asked for at `askedMs`, before Redis decided, so it is forgotten too soon, never too late. */
  learn(asking: Asking, answer: Answer, askedMs: number): void {
    const first = asking.owners[0];
    const sure = sureMs(asking, answer);
    if (first && sure.waitMs + sure.refusedMs > 0)
      this.#denials.set(first, { asking, answer, askedMs, sure });
  }

  /** The denial that Redis is sure to give to a request that may wait for `longestMs`; undefined: ask it. */
  find(asking: Asking, longestMs: number): SureDenial | undefined {
    const first = asking.owners[0];
    const known = first && this.#denials.get(first);
    if (!known) return undefined;
    const passedMs = this.#steadyMs() - known.askedMs;
    const sureMs = Math.max(known.sure.waitMs - longestMs, known.sure.refusedMs);
    if (passedMs < 0 || passedMs >= Math.min(sureMs, MOST_MS)) return undefined;
    return isSameOrLarger(asking, known.asking) ? known : undefined;
  }

  /** Forgets all: nobody knows what Redis is now. */
  clear(): void {
    this.#denials = new WeakMap();
  }
}

function isSameOrLarger(asking: Asking, than: Asking): boolean {
  if (asking.owners.length !== than.owners.length) return false;
  for (const [index, owner] of asking.owners.entries()) if (owner !== than.owners[index]) return false;
  for (const [index, units] of asking.units.entries()) if (units < (than.units[index] ?? 0)) return false;
  return true;
}
