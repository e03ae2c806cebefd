/** A key that the upstream refuses isn't tried before others for so long. */
const REFUSED_MS = 300_000;

interface Key {
  readonly text: string;
  underWay: number;
  /** When it was last taken, in takes of the ring. */
  takenAt: number;
  coolsUntilMs: number;
  refusedUntilMs: number;
}

/** A key in use. It is a private field of its ring: this holds what an attempt must know. */
export interface KeyLease {
  /** Its place in the configuration, from 0: what logs show. */
  readonly index: number;
  /** The key itself, for the request's header alone. */
  readonly secret: () => string;
  /** The upstream has limited it. */
  cool(forMs: number): void;
  /** The upstream refused it. True: that is news. */
  refused(): boolean;
  /** The request is over; what comes after is ignored. */
  release(): void;
}

/** The keys of one upstream. A key that cools off is only passed over: where all do, the one that is ready first is taken. */
export class KeyRing {
  readonly #keys: readonly Key[];
  readonly #nowMs: () => number;
  #takes = 0;

  /**
   * @param keys at least one
   * @param before the ring that this one takes the place of: what is known of a key that both have stays known
   */
  constructor(keys: readonly string[], nowMs: () => number, before?: KeyRing) {
    this.#nowMs = nowMs;
    this.#takes = before?.takes ?? 0;
    this.#keys = keys.map((text) => before?.find(text) ?? newKey(text));
  }

  /** How often a key was taken. */
  get takes(): number {
    return this.#takes;
  }

  /** What is known of a key. */
  find(text: string): Key | undefined {
    return this.#keys.find((key) => key.text === text);
  }

  /** Requests under way with each key. */
  load(): readonly number[] {
    return this.#keys.map(({ underWay }) => underWay);
  }

  /** Whether some key doesn't cool off. */
  isReady(): boolean {
    const now = this.#nowMs();
    return this.#keys.some(({ coolsUntilMs }) => coolsUntilMs <= now);
  }

  /** The key with the fewest requests under way of those that don't cool off; of several, the one that rested longest. */
  take(): KeyLease {
    const now = this.#nowMs();
    let best: Key | undefined;
    for (const key of this.#keys) if (best === undefined || isBetter(key, best, now)) best = key;
    if (best === undefined) throw new RangeError('a ring of no keys');
    return this.#lease(best);
  }

  #lease(key: Key): KeyLease {
    let isOver = false;
    this.#takes += 1;
    key.takenAt = this.#takes;
    key.underWay += 1;
    const cool = (forMs: number) => {
      key.coolsUntilMs = Math.max(key.coolsUntilMs, this.#nowMs() + forMs);
    };
    return {
      index: this.#keys.indexOf(key),
      secret: () => key.text,
      cool,
      refused: () => {
        const now = this.#nowMs();
        const isNews = key.refusedUntilMs <= now;
        if (isNews) key.refusedUntilMs = now + REFUSED_MS;
        cool(REFUSED_MS);
        return isNews;
      },
      release: () => {
        if (isOver) return;
        isOver = true;
        key.underWay -= 1;
      },
    };
  }
}

function newKey(text: string): Key {
  return { text, underWay: 0, takenAt: 0, coolsUntilMs: 0, refusedUntilMs: 0 };
}

function isBetter(key: Key, than: Key, nowMs: number): boolean {
  const [a, b] = [Math.max(key.coolsUntilMs, nowMs), Math.max(than.coolsUntilMs, nowMs)];
  if (a !== b) return a < b;
  if (key.underWay !== than.underWay) return key.underWay < than.underWay;
  return key.takenAt < than.takenAt;
}
