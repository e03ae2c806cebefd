import type { Agent } from 'node:https';
import { type Answer, ask, chat, newAgent } from './https-client.ts';

/** A call of a load, once it is over. Times are `performance.now()`. */
export interface Call {
  readonly id: string;
  readonly startedMs: number;
  readonly endedMs: number;
  /** Absent where the connection broke. */
  readonly answer?: Answer;
  readonly error?: unknown;
}

export interface Load {
  /** Calls begun so far. */
  readonly begun: () => number;
  /** Begins no more, and gives all of them once they are over. */
  readonly end: () => Promise<readonly Call[]>;
}

/**
 * Posts chat completions at a steady pace, whether or not earlier ones are over, on connections that are kept.
 * @param headers sent with each, besides an `x-request-id` of its own
 */
export function startLoad(url: string, perSecond: number, headers: Record<string, string> = {}): Load {
  const agent: Agent = newAgent(128);
  const calls: Promise<Call>[] = [];
  const startedMs = performance.now();
  // A timer that comes late is made up for: the pace holds on a busy machine.
  const timer = setInterval(() => {
    const due = ((performance.now() - startedMs) / 1_000) * perSecond;
    while (calls.length < due) calls.push(call(`load-${calls.length}`));
  }, 5);
  const call = async (id: string): Promise<Call> => {
    const begunMs = performance.now();
    const over = () => ({ id, startedMs: begunMs, endedMs: performance.now() });
    try {
      const how = chat({}, { ...headers, 'x-request-id': id });
      const answer = await ask(url, '/v1/chat/completions', { ...how, agent });
      return { ...over(), answer };
    } catch (error) {
      return { ...over(), error };
    }
  };
  return {
    begun: () => calls.length,
    end: async () => {
      clearInterval(timer);
      const all = await Promise.all(calls);
      agent.destroy();
      return all;
    },
  };
}

/** The calls that no client would take for a whole, good answer. */
export function failedOf(calls: readonly Call[]): Call[] {
  return calls.filter(({ answer }) => answer?.status !== 200 || !isWhole(answer.text));
}

function isWhole(text: string): boolean {
  try {
    return JSON.parse(text).choices[0].finish_reason === 'stop';
  } catch {
    return false;
  }
}
