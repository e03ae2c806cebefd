import type { AdmitCall } from './admission-calls.ts';
import { type LeaseTimes, timesToLive } from './asking.ts';
import type { Connections } from './connections.ts';
import type { FinishCall } from './ending-queue.ts';
import { limiterScripts, runScript } from './scripts.ts';

/** How the limiter's scripts are called: admissions over one connection, with ends where some wait; ends by themselves over the other. */
export function scriptCalls(
  { admitting, ending, answerWithinMs: withinMs }: Connections,
  times: LeaseTimes,
  handClock: (() => number) | undefined,
): { readonly admit: AdmitCall; readonly finish: FinishCall } {
  const scripts = limiterScripts(handClock ? 'argument' : 'redis');
  const lives = timesToLive(times);
  const args = (message: Buffer) => [message, ...lives, handClock ? handClock() : ''];
  const [toAdmit, toFinish] = [
    { client: admitting, withinMs },
    { client: ending, withinMs },
  ];
  return {
    admit: {
      isReady: () => admitting.status === 'ready',
      send(keys, message, ends) {
        if (ends === undefined) return runScript(toAdmit, scripts.admit, keys, args(message));
        const all = [...args(ends.message.end()), message, ...ends.message.records];
        return runScript(toAdmit, scripts.together, keys, all);
      },
    },
    finish: {
      isReady: () => ending.status === 'ready',
      send(keys, message, records) {
        const all = records.length === 0 ? args(message) : [...args(message), '', ...records];
        return runScript(toFinish, scripts.finish, keys, all);
      },
    },
  };
}
