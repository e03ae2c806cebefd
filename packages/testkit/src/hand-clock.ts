/** A clock that a test moves by hand. `now` can be passed on as it is. */
export interface HandClock {
  readonly now: () => number;
  /** Moves it by so many milliseconds; negative ones back. */
  readonly advance: (ms: number) => void;
}

/** A clock that stands at `startMs` (milliseconds since 1970) until it is moved. */
export function handClock(startMs: number): HandClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
  };
}
