import type { Limiter } from '@nexus/domain';
import { MemoryLimiter } from '../src/index.ts';

/** A limiter whose time is set by hand. */
export interface LimiterHarness {
  readonly limiter: Limiter;
  /** Sets the limiter's clock, in milliseconds. */
  setNow(nowMs: number): void;
  /** Every stored record, comparable with `toEqual`: what a refusal must leave as it is. */
  dump(): Promise<unknown>;
}

/** Makes a limiter with nothing in it. */
export type MakeLimiter = (nowMs: number) => Promise<LimiterHarness>;

export const LEASE_MS = 60_000;
export const SLICE_MS = 15_000;

export const makeMemoryLimiter: MakeLimiter = async (nowMs) => {
  let clockMs = nowMs;
  const limiter = new MemoryLimiter({ clock: () => clockMs, leaseMs: LEASE_MS, sliceMs: SLICE_MS });
  return {
    limiter,
    setNow(toMs) {
      clockMs = toMs;
    },
    dump: async () => limiter.dump(),
  };
};
