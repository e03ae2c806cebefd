import { isNearlyFull, type LedgerChange, type LedgerState } from '../ledger.ts';
import { readEntry } from './entry-text.ts';
import { GROUP, isReply, type LedgerKeys, MOST_ON_THEIR_WAY, type RedisCall, Script } from './redis.ts';
import { type Drained, type DrainStep, type Sink, takeOff } from './sink.ts';

export interface StreamDrainOptions {
  readonly redis: RedisCall;
  readonly keys: LedgerKeys;
  readonly sink: Sink;
  /** This reader's name in the group: another one for each process. */
  readonly consumer: string;
  readonly onChange?: (change: LedgerChange) => void;
  /** The most records that the limiter puts into the stream. Default `MOST_ON_THEIR_WAY`. */
  readonly most?: number | undefined;
  /** How often an empty stream is looked at. Default 500. */
  readonly pollMs?: number;
  /** Records that a reader took and hasn't kept for so long are taken over. Default 30,000. */
  readonly claimAfterMs?: number;
  /** After a failure. Default 1,000. */
  readonly retryMs?: number;
  /** For tests. */
  readonly onStep?: (step: DrainStep) => void;
}

/** How often the stream's length is looked at, and how often while it isn't drained. */
const LOOK_MS = 5_000;
const LOOK_DEGRADED_MS = 500;

/** A reader that is silent for so long, and holds nothing, is forgotten. */
const FORGET_AFTER_MS = 60 * 60_000;

/**
 * Takes records from the stream and keeps them where the sink does. All instances do so, each record comes to one of them; what one has taken and
 * hasn't kept, because it died, comes to another after `claimAfterMs`. A record leaves the stream when it is kept, and not before.
 */
export class StreamDrain {
  readonly #options: StreamDrainOptions;
  readonly #pollMs: number;
  readonly #claimAfterMs: number;
  readonly #acknowledge = new Script('acknowledge');
  readonly #forget = new Script('forget-consumers');
  #hasGroup = false;
  /** Taken and not kept yet. */
  #inHand: readonly Drained[] = [];
  /** From where to look for what others have left; undefined: not yet again. */
  #claimFrom: string | undefined = '0-0';
  #lookedMs = Number.NEGATIVE_INFINITY;
  #waiting = 0;
  /** Given up here, and left out by the limiter's script; that one counts for ever, so what it was at the start is taken off. */
  #lostHere = 0;
  #lostInScript = 0;
  #lostBefore: number | undefined;
  #isDegraded = false;
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: StreamDrainOptions) {
    this.#options = options;
    this.#pollMs = options.pollMs ?? 500;
    this.#claimAfterMs = options.claimAfterMs ?? 30_000;
    this.#in(0);
  }

  state(): LedgerState {
    const lost = this.#lostHere + this.#lostInScript - (this.#lostBefore ?? this.#lostInScript);
    return { status: this.#isDegraded ? 'degraded' : 'ok', waiting: this.#waiting, lost };
  }

  /** As `Ledger.isFull`, by the length of the stream when it was last looked at. */
  get isFull(): boolean {
    return isNearlyFull(this.#waiting, this.#options.most ?? MOST_ON_THEIR_WAY);
  }

  /** Finishes what is under way. The rest stays in the stream, for the other instances or the next start. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#underWay;
    if (this.#hasGroup && this.#inHand.length === 0) await this.#forgetReaders().catch(() => {});
  }

  #in(delayMs: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#underWay = this.#turn();
    }, delayMs).unref();
  }

  async #turn(): Promise<void> {
    const { retryMs = 1_000 } = this.#options;
    try {
      const isMore = await this.#drainOnce();
      await this.#look();
      this.#succeed();
      this.#in(isMore ? 0 : this.#pollMs);
    } catch (error) {
      if (isReply(error, 'NOGROUP')) this.#hasGroup = false;
      this.#fail(error);
      // A stream that isn't drained fills. Where Redis is what fails, it is no longer than it was.
      await this.#look().catch(() => {});
      this.#in(retryMs);
    }
  }

  /** One batch; whether there may be more. */
  async #drainOnce(): Promise<boolean> {
    const { sink, onStep = () => {} } = this.#options;
    await this.#makeGroup();
    if (this.#inHand.length === 0) {
      this.#inHand = await this.#take();
      if (this.#inHand.length === 0) return false;
      onStep('read');
    }
    this.#lostHere += await sink.keep(this.#inHand, onStep);
    this.#inHand = [];
    return true;
  }

  /** Records that another left, else new ones. */
  async #take(): Promise<readonly Drained[]> {
    const { redis, keys, sink, consumer } = this.#options;
    if (this.#claimFrom !== undefined) {
      const args = [keys.stream, GROUP, consumer, this.#claimAfterMs, this.#claimFrom, 'COUNT', sink.most];
      const reply = await redis.call('XAUTOCLAIM', args);
      const [next, claimed] = Array.isArray(reply) ? reply : [];
      this.#claimFrom = next === undefined || String(next) === '0-0' ? undefined : String(next);
      const drained = await this.#read(claimed);
      if (drained.length > 0) return drained;
    }
    const reply = await redis.call('XREADGROUP', [
      ...['GROUP', GROUP, consumer, 'COUNT', sink.most],
      ...['STREAMS', keys.stream, '>'],
    ]);
    const [stream] = Array.isArray(reply) ? reply : [];
    return this.#read(Array.isArray(stream) ? stream[1] : []);
  }

  /** The records of a reply. What is none is taken off the stream and counted as lost. */
  async #read(reply: unknown): Promise<readonly Drained[]> {
    const drained: Drained[] = [];
    const unreadable: string[] = [];
    for (const item of Array.isArray(reply) ? reply : []) {
      // Redis 6.2 shows records that are gone as nothing.
      if (!Array.isArray(item)) continue;
      const streamId = String(item[0]);
      const fields: unknown = item[1];
      const entry = Array.isArray(fields) ? readEntry(String(fields[1])) : undefined;
      if (entry) drained.push({ streamId, entry });
      else unreadable.push(streamId);
    }
    await takeOff(this.#acknowledge, this.#options.redis, this.#options.keys, unreadable);
    this.#lostHere += unreadable.length;
    return drained;
  }

  async #makeGroup(): Promise<void> {
    if (this.#hasGroup) return;
    const { redis, keys } = this.#options;
    try {
      await redis.call('XGROUP', ['CREATE', keys.stream, GROUP, '0', 'MKSTREAM']);
    } catch (error) {
      if (!isReply(error, 'BUSYGROUP')) throw error;
    }
    this.#hasGroup = true;
  }

  /** How long the stream is, what was lost, and who has left records or gone; now and then. */
  async #look(): Promise<void> {
    const nowMs = performance.now();
    const everyMs = Math.min(
      this.#isDegraded || this.isFull ? LOOK_DEGRADED_MS : LOOK_MS,
      this.#claimAfterMs,
    );
    if (nowMs - this.#lookedMs < everyMs) return;
    const isFirst = this.#lostBefore === undefined;
    this.#lookedMs = nowMs;
    const { redis, keys } = this.#options;
    this.#waiting = Number(await redis.call('XLEN', [keys.stream]));
    this.#lostInScript = Number((await redis.call('GET', [keys.lost])) ?? 0);
    this.#lostBefore ??= this.#lostInScript;
    this.#claimFrom ??= '0-0';
    if (isFirst) await this.#forgetReaders();
  }

  async #forgetReaders(): Promise<void> {
    const { redis, keys, consumer } = this.#options;
    const leaving = this.#isClosed ? consumer : '';
    await this.#forget.run(redis, [keys.stream], [GROUP, FORGET_AFTER_MS, leaving]);
  }

  #fail(cause: unknown): void {
    if (this.#isDegraded || this.#isClosed) return;
    this.#isDegraded = true;
    this.#options.onChange?.({ ...this.state(), cause });
  }

  #succeed(): void {
    if (!this.#isDegraded) return;
    this.#isDegraded = false;
    this.#options.onChange?.(this.state());
  }
}
