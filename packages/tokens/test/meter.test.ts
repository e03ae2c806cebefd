import { NO_USAGE } from '@nexus/domain';
import { describe, expect, it } from 'vitest';
import { makeMeter } from '../src/meter.ts';
import { CHAT_JSON, CHAT_STREAM, delta, events, feed, usageChunk } from './meter-run.ts';

describe('makeMeter', () => {
  it('takes an answer for a stream by its media type, in any case and with parameters', () => {
    for (const contentType of [
      'text/event-stream',
      'Text/Event-Stream; charset=UTF-8',
      ' text/event-stream ;x',
    ]) {
      const { meter } = feed({ ...CHAT_STREAM, contentType }, [events(usageChunk(3, 4))]);
      expect(meter.usage()).toMatchObject({ outputTokens: 4, source: 'reported' });
    }
  });

  it('does not guess a stream from its bytes', () => {
    for (const contentType of ['application/json', 'text/plain', undefined, 'text/event-streams']) {
      const stream = events(usageChunk(3, 4));
      const { meter, sent } = feed({ ...CHAT_JSON, contentType, hideUsage: true }, [stream]);
      expect(sent.toString()).toBe(stream);
      expect(meter.usage().source).not.toBe('counted');
    }
  });

  it('reads JSON of a metered call whatever its type, and of others by their type alone', () => {
    const body = '{"usage":{"input_tokens":3,"output_tokens":4}}';
    expect(feed({ ...CHAT_JSON, contentType: undefined }, [body]).meter.usage().outputTokens).toBe(4);
    const other = { ...CHAT_JSON, kind: 'other', inputTokens: 0 } as const;
    expect(feed({ ...other, contentType: 'application/vnd.x+json' }, [body]).meter.usage().outputTokens).toBe(
      4,
    );
    expect(feed({ ...other, contentType: 'audio/mpeg' }, [body]).meter.usage()).toEqual(NO_USAGE);
  });

  it('gives the bytes of a download back as they came and knows when it ended', async () => {
    const meter = makeMeter({ ...CHAT_JSON, kind: 'other', contentType: 'audio/mpeg', inputTokens: 5 });
    const chunk = new Uint8Array([1, 2, 3]);
    expect(meter.write(chunk)).toBe(chunk);
    expect(meter.finished).toBe(false);
    expect(meter.end()).toBeUndefined();
    expect(meter.finished).toBe(true);
    expect(meter.usage()).toMatchObject({ inputTokens: 5, outputTokens: 0, source: 'counted' });
    await meter.settled();
  });

  it('has the prompt for its usage before anything came', () => {
    for (const options of [CHAT_STREAM, CHAT_JSON]) {
      const meter = makeMeter(options);
      expect(meter.usage()).toMatchObject({ inputTokens: 11, outputTokens: 0 });
      expect(meter.outputTokensSoFar()).toBe(0);
      expect(meter.finished).toBe(false);
    }
  });

  it('counts with the vocabulary of the model', () => {
    const stream = events(delta('Привет, мир! Как дела сегодня?'));
    const tokens = (model: string): number =>
      feed({ ...CHAT_STREAM, model }, [stream]).meter.usage().outputTokens;
    expect(tokens('gpt-4')).toBeGreaterThan(tokens('gpt-4o'));
  });

  it('holds little of a stream that runs for long', () => {
    const meter = makeMeter(CHAT_STREAM);
    const chunk = Buffer.from(events(...Array.from({ length: 20 }, (_, index) => delta(` word${index}`))));
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 5_000; i++) meter.write(chunk);
    expect(meter.usage().outputTokens).toBeGreaterThan(100_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(60 * 1_048_576);
  });
});
