import { timingSafeEqual } from 'node:crypto';
import { type AdminScope, type AdminToken, credentialHash } from '@nexus/config';
import type { Request } from 'express';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { ProblemError } from './problem.ts';

/** Wrong tokens that one address may send in a minute, and all addresses together. */
const FAILURES_OF_ONE = 10;
const FAILURES_OF_ALL = 200;
const FAILURES_SECONDS = 60;

/** Lets those into the admin API who have a token for what they want, and slows down those who guess. */
export class AdminDoor {
  readonly #tokens: () => readonly AdminToken[];
  readonly #ofOne = new RateLimiterMemory({ points: FAILURES_OF_ONE, duration: FAILURES_SECONDS });
  // Also bounds what is remembered: no more addresses than failures.
  readonly #ofAll = new RateLimiterMemory({ points: FAILURES_OF_ALL, duration: FAILURES_SECONDS });

  /** @param tokens those of the configuration that holds */
  constructor(tokens: () => readonly AdminToken[]) {
    this.#tokens = tokens;
  }

  /**
   * Who asks.
   * @throws ProblemError 401, 403, or 429 after too many wrong tokens
   */
  async enter(req: Request, scope: AdminScope): Promise<AdminToken> {
    const tokens = this.#tokens();
    if (tokens.length === 0)
      throw new ProblemError({
        status: 403,
        title: 'Forbidden',
        detail: 'The admin API is closed: the configuration lists no `admin.tokens`.',
      });
    const address = req.socket.remoteAddress ?? '';
    await this.#checkGuessing(address);
    const given = /^bearer +([!-~]{1,4096})$/i.exec(req.headers.authorization?.trim() ?? '')?.[1];
    const token = given === undefined ? undefined : find(tokens, given);
    if (token === undefined) {
      await Promise.allSettled([this.#ofOne.consume(address), this.#ofAll.consume('all')]);
      throw new ProblemError({
        status: 401,
        title: 'Unauthorized',
        detail: 'Send a token of `admin.tokens` as `Authorization: Bearer …`.',
      });
    }
    if (!token.scopes.includes(scope))
      throw new ProblemError({
        status: 403,
        title: 'Forbidden',
        detail: `The token "${token.id}" lacks the scope "${scope}".`,
      });
    return token;
  }

  async #checkGuessing(address: string): Promise<void> {
    const [one, all] = await Promise.all([this.#ofOne.get(address), this.#ofAll.get('all')]);
    const spent = [
      (one?.consumedPoints ?? 0) >= FAILURES_OF_ONE ? one?.msBeforeNext : undefined,
      (all?.consumedPoints ?? 0) >= FAILURES_OF_ALL ? all?.msBeforeNext : undefined,
    ].filter((waitMs) => waitMs !== undefined);
    if (spent.length === 0) return;
    throw new ProblemError({
      status: 429,
      title: 'Too Many Requests',
      detail: 'There were too many wrong tokens. Try again later.',
      retryAfterSeconds: Math.max(1, Math.ceil(Math.max(...spent) / 1000)),
    });
  }
}

/** Compares with every token, in the same time whichever it is. */
function find(tokens: readonly AdminToken[], given: string): AdminToken | undefined {
  const hash = Buffer.from(credentialHash(given), 'hex');
  let found: AdminToken | undefined;
  for (const token of tokens) if (timingSafeEqual(Buffer.from(token.hash, 'hex'), hash)) found = token;
  return found;
}
