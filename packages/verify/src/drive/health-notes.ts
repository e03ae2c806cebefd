import type { Deployment } from '../deployment.ts';
import { isRecord } from '../record.ts';

/**
 * What the instances say of their own condition (`GET /health`) that explains what limits then do: in words, or nothing. Whoever
 * does not answer, or stands behind a proxy that hides it, says nothing.
 */
export async function healthNotes(deployment: Deployment, places: readonly number[]): Promise<string[]> {
  const notes: string[] = [];
  let inMemory = 0;
  for (const place of places) {
    const { keeper, status } = await limiterOf(deployment, place);
    if (keeper === 'memory') inMemory += 1;
    if (status === 'degraded')
      notes.push(`${deployment.urls[place]} decides without the store that all instances share (degraded)`);
  }
  if (inMemory > 1)
    notes.push(`${inMemory} instances keep their limits in their own memory, so nothing is shared`);
  return notes;
}

async function limiterOf(
  deployment: Deployment,
  place: number,
): Promise<{ keeper?: unknown; status?: unknown }> {
  try {
    const { status, body } = await deployment.ask(place, { method: 'GET', path: '/health' });
    const said: unknown = status === 200 ? JSON.parse(body) : undefined;
    return isRecord(said) && isRecord(said.limiter) ? said.limiter : {};
  } catch {
    return {};
  }
}
