/** Redis hasn't answered in time. What it was asked may have been done, or be done later. */
export class NoAnswerError extends Error {
  constructor(withinMs: number) {
    super(`Redis did not answer within ${withinMs} ms`);
    this.name = 'NoAnswerError';
  }
}

/** A wait is looked at so often: time in which this process stood still is not Redis' fault. */
const LOOKS = 5;

/**
 * The answer, if it comes in time. A process that is starved of CPU finds its timers due before it has read what lies on its sockets since
 * long; so the wait ends only once the event loop has come round for each part of it, and once more.
 * @throws NoAnswerError
 */
export function inTime<T>(answer: Promise<T>, withinMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    let looks = 0;
    let timer: NodeJS.Timeout | undefined = setTimeout(look, withinMs / LOOKS);
    function look(): void {
      looks += 1;
      if (looks < LOOKS) timer = setTimeout(look, withinMs / LOOKS);
      else setImmediate(() => setImmediate(() => timer && reject(new NoAnswerError(withinMs))));
    }
    const end = () => {
      clearTimeout(timer);
      timer = undefined;
    };
    answer.then(
      (value) => {
        end();
        resolve(value);
      },
      (error: unknown) => {
        end();
        reject(error);
      },
    );
  });
}
