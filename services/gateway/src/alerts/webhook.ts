import { createHmac } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Alerts } from '@nexus/config';

/** Waits between the tries: five in some two minutes. */
const PAUSES_MS: readonly number[] = [1_000, 5_000, 25_000, 90_000];
const ANSWER_WITHIN_MS = 10_000;

/**
 * Posts JSON to where the configuration says, until it is taken with a 2xx. Redirects are not followed.
 *
 * With a secret the post is signed: `x-nexus-signature: t=<seconds since 1970>,v1=<hex>`, where hex is the HMAC-SHA-256 of `<t>.<body>`. A receiver
 * that refuses old times can't be fooled by a repeated post.
 * @param pausesMs for tests
 * @throws Error if it was never taken; it says how it failed, not where to
 */
export async function post(
  { webhook, secret }: Alerts,
  body: object,
  signal: AbortSignal,
  pausesMs: readonly number[] = PAUSES_MS,
): Promise<void> {
  const text = JSON.stringify(body);
  for (let tried = 0; ; tried += 1) {
    const failure = await postOnce(webhook, secret, text, signal);
    if (failure === undefined) return;
    const pauseMs = pausesMs[tried];
    if (pauseMs === undefined || signal.aborted) throw new Error(failure);
    await wait(pauseMs, undefined, { signal, ref: false });
  }
}

/** What went wrong; undefined: nothing. */
async function postOnce(
  webhook: string,
  secret: string | undefined,
  text: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const headers: Record<string, string> = { 'content-type': 'application/json', 'user-agent': 'nexus' };
  if (secret !== undefined)
    headers['x-nexus-signature'] = signature(secret, text, Math.floor(Date.now() / 1000));
  try {
    const answer = await fetch(webhook, {
      method: 'POST',
      redirect: 'manual',
      headers,
      body: text,
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
    });
    await answer.body?.cancel();
    return answer.ok ? undefined : `The webhook answered ${answer.status}.`;
  } catch (error) {
    // The cause may name the address, which may be a secret.
    return `The webhook could not be reached (${error instanceof Error ? error.name : 'unknown'}).`;
  }
}

/** `t=…,v1=…`, as the header has it. */
function signature(secret: string, text: string, seconds: number): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${text}`).digest('hex')}`;
}
