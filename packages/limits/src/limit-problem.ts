import type { BucketLimit, Limit } from '@nexus/domain';

/**
 * Every number that a bucket keeps stays below this: twice as much is where doubles, in JavaScript as in Lua, stop being
 * exact integers (IEEE 754: 2^53), so a sum of any two is still exact.
 */
export const LARGEST = 2 ** 52;

/** The most units that can ever be available in a bucket. An amount of 0 leaves nothing, whatever its burst says. */
export function sizeOf(limit: BucketLimit): number {
  switch (limit.kind) {
    case 'rate':
      return limit.amount === 0 ? 0 : limit.burst;
    case 'calendar':
      return limit.amount;
    case 'concurrency':
      return limit.slots;
  }
}

/**
 * Why a limit can't be kept exactly, as the end of a sentence that begins with its name; undefined: it can.
 * A rate's burst times its period in milliseconds, and every other number, must stay below 2^52.
 */
export function limitProblem(limit: Limit): string | undefined {
  switch (limit.kind) {
    case 'concurrency':
      return amountProblem(limit.slots);
    case 'size':
      return amountProblem(limit.amount);
    case 'calendar':
      return amountProblem(limit.amount) ?? timeZoneProblem(limit.timeZone);
    case 'rate': {
      if (!Number.isSafeInteger(limit.periodMs) || limit.periodMs < 1 || limit.periodMs >= LARGEST)
        return `has a period of ${limit.periodMs} ms; it must be a whole number of milliseconds above 0`;
      return amountProblem(limit.amount) ?? burstProblem(limit.amount, limit.burst, limit.periodMs);
    }
  }
}

function amountProblem(amount: number): string | undefined {
  if (!Number.isInteger(amount) || amount < 0) return `is ${amount}; it must be a whole number, 0 or more`;
  if (amount >= LARGEST) return `is too large to be counted exactly; the most is ${shown(LARGEST - 1)}`;
  return undefined;
}

function burstProblem(amount: number, burst: number, periodMs: number): string | undefined {
  if (!Number.isInteger(burst) || burst < 0) return `has a burst of ${burst}; it must be a whole number`;
  if (amount > 0 && burst === 0) return 'has a burst of 0, which refuses everything; it must be 1 or more';
  const most = Math.floor((LARGEST - 1) / periodMs);
  if (burst > most)
    return `has a burst of ${shown(burst)}, too large to be counted exactly; with its period the most is ${shown(most)}`;
  return undefined;
}

function timeZoneProblem(timeZone: string): string | undefined {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone });
    return undefined;
  } catch {
    return `has an unknown time zone, ${JSON.stringify(timeZone)}; write an IANA name such as Europe/Berlin`;
  }
}

function shown(amount: number): string {
  return amount.toLocaleString('en-US');
}
