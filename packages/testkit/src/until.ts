import { setTimeout as wait } from 'node:timers/promises';

/**
 * Waits for the outcome of something asynchronous: asks until the condition gives something other than false, null or undefined, and
 * gives that back. Rejects after `withinMs` (default 10,000: a busy machine may stand still for seconds), with the condition's last error as the cause.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<Exclude<T, false | null | undefined>> {
  const { withinMs = 10_000, everyMs = 5 } = options;
  const startMs = performance.now();
  let cause: unknown;
  for (;;) {
    try {
      const outcome = await condition();
      if (isOutcome(outcome)) return outcome;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() - startMs >= withinMs) {
      throw new Error(`It did not come true within ${withinMs} ms: ${condition}`, { cause });
    }
    await wait(everyMs);
  }
}

function isOutcome<T>(value: T): value is Exclude<T, false | null | undefined> {
  return value !== false && value !== null && value !== undefined;
}
