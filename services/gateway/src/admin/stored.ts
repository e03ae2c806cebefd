import { type Doer, IssuingError } from '@nexus/keys';
import type { Log } from '@nexus/observe';
import type { Keys } from '../keys/open-keys.ts';
import { logAudit } from '../keys/shown-keys.ts';
import { ProblemError } from './problem.ts';

/** What changes through the admin API work on. */
export interface StoreParts {
  readonly keys: Keys;
  readonly log: Log;
}

/** Who makes a change through the admin API; the change leaves a line in the log. */
export function doer(tokenId: string, log: Log): Doer {
  return { by: `api:${tokenId}`, nowMs: Date.now(), onDone: (audit) => logAudit(audit, log) };
}

/** Makes a change, so that this instance knows of it when it answers. @throws ProblemError as `stored` */
export async function changed<T>(make: () => Promise<T>, parts: StoreParts, list: string): Promise<T> {
  const made = await stored(make, parts, list);
  await parts.keys.issued.refresh();
  return made;
}

/**
 * Asks the store of keys and budgets.
 * @param list where to look up what became of a change
 * @throws ProblemError 404 or 409 for what can't be changed as it is, 503 where the store doesn't answer
 */
export async function stored<T>(ask: () => Promise<T>, { log }: StoreParts, list: string): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    if (error instanceof IssuingError) throw refusal(error);
    log.error('issued keys cannot be changed', { error });
    throw new ProblemError({
      status: 503,
      title: 'Service Unavailable',
      detail: `The store does not answer. A change may have been made or not: look at ${list} before you try again.`,
      retryAfterSeconds: 1,
    });
  }
}

function refusal({ refusal: why, message }: IssuingError): ProblemError {
  return why === 'unknown' || why === 'unchanged'
    ? new ProblemError({ status: 404, title: 'Not Found', detail: message })
    : new ProblemError({ status: 409, title: 'Conflict', detail: message });
}

export function badRequest(detail: string): ProblemError {
  return new ProblemError({ status: 400, title: 'Bad Request', detail });
}
