import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { countTokens } from '../src/count.ts';
import { CHAT_JSON, CHAT_STREAM, cutAt, delta, events, feed, usageChunk } from './meter-run.ts';

const ENCODINGS: Record<string, (bytes: Buffer) => Buffer> = {
  gzip: (bytes) => gzipSync(bytes),
  deflate: (bytes) => deflateSync(bytes),
  br: (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  zstd: (bytes) => zstdCompressSync(bytes),
};

describe('an encoded answer', () => {
  for (const [contentEncoding, encode] of Object.entries(ENCODINGS)) {
    it(`is metered in ${contentEncoding}, and its bytes are left alone`, async () => {
      const encoded = encode(Buffer.from(events(delta('Hello'), usageChunk(3, 4), '[DONE]')));
      const { meter, sent } = feed(
        { ...CHAT_STREAM, contentEncoding, hideUsage: true },
        cutAt(encoded, [1, 20, 50]),
      );
      await meter.settled();
      expect(meter.usage()).toMatchObject({ inputTokens: 3, outputTokens: 4, source: 'reported' });
      expect(meter.finished).toBe(true);
      expect(sent.equals(encoded)).toBe(true);
    });

    it(`is read as far as it came when it breaks off in ${contentEncoding}`, async () => {
      const words = Array.from({ length: 3_000 }, (_, index) => delta(` w${(index * 7_919) % 3_001}`));
      const encoded = encode(Buffer.from(events(...words)));
      const half = encoded.subarray(0, Math.floor(encoded.length * 0.7));
      const { meter } = feed({ ...CHAT_STREAM, contentEncoding }, cutAt(half, [300, 4_000]), false);
      await meter.settled();
      const all = countTokens(words.map((_, index) => ` w${(index * 7_919) % 3_001}`).join(''), 'o200k_base');
      const usage = meter.usage();
      expect(usage.source).toBe('counted');
      expect(usage.outputTokens).toBeGreaterThan(all * 0.3);
      expect(usage.outputTokens).toBeLessThan(all);
      expect(meter.finished).toBe(false);
    });
  }

  it('is metered as JSON too, whatever the case of the encoding', async () => {
    const body = JSON.stringify({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } });
    const { meter } = feed({ ...CHAT_JSON, contentEncoding: ' GZip ' }, [gzipSync(body)]);
    expect(meter.finished).toBe(false);
    await meter.settled();
    expect(meter.usage()).toMatchObject({ inputTokens: 3, outputTokens: 4, source: 'reported' });
    expect(meter.finished).toBe(true);
  });

  it('stops reading a bomb and estimates it by its size', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1_048_576, 'x'));
    const { meter, sent } = feed({ ...CHAT_STREAM, contentEncoding: 'gzip' }, cutAt(bomb, [1_000, 30_000]));
    const before = process.memoryUsage().external;
    await meter.settled();
    expect(process.memoryUsage().external - before).toBeLessThan(20 * 1_048_576);
    expect(meter.usage()).toMatchObject({ inputTokens: 11, source: 'estimated' });
    expect(meter.usage().outputTokens).toBeGreaterThanOrEqual(Math.ceil(bomb.length / 4));
    expect(meter.usage().outputTokens).toBeLessThan(3_000_000);
    expect(sent.equals(bomb)).toBe(true);
  });

  it('stops at a ratio of 100, long before 16 MB', async () => {
    const bomb = gzipSync(`data: ${'x'.repeat(4_000_000)}\n\n${events(usageChunk(3, 4))}`);
    const { meter } = feed({ ...CHAT_STREAM, contentEncoding: 'gzip' }, [bomb]);
    await meter.settled();
    expect(meter.usage()).toMatchObject({ inputTokens: 11, source: 'estimated' });
  });

  it('reads no more than 16 MB of an answer that is no bomb', async () => {
    // Blocks that repeat within gzip's window, and noise between them: a ratio of some 10.
    const block = Array.from({ length: 1_000 }, (_, index) => Math.sin(index)).join(',');
    const noise = (from: number): string =>
      Array.from({ length: 100 }, (_, index) => Math.cos(from + index)).join(',');
    const bodyOf = (blocks: number): string => {
      const data = Array.from({ length: blocks }, (_, index) => `[${block},${noise(index * 100)}]`).join(',');
      return `{"data":[${data}],"usage":{"prompt_tokens":5,"total_tokens":5}}`;
    };
    const inputTokens = async (body: string): Promise<number> => {
      const { meter } = feed({ ...CHAT_JSON, kind: 'embedding', contentEncoding: 'gzip' }, [gzipSync(body)]);
      await meter.settled();
      return meter.usage().inputTokens;
    };
    const small = bodyOf(700);
    const large = bodyOf(850);
    expect(small.length).toBeLessThan(16_777_216);
    expect(large.length).toBeGreaterThan(16_777_216);
    expect(await inputTokens(small)).toBe(5);
    expect(await inputTokens(large)).toBe(11);
  });

  it('estimates what is corrupt or in an encoding that it does not know', async () => {
    const noise = Buffer.alloc(4_000, 'not encoded at all ');
    for (const contentEncoding of [
      'gzip',
      'deflate',
      'br',
      'zstd',
      'compress',
      'gzip, br',
      'x'.repeat(1_000),
    ]) {
      for (const ended of [true, false]) {
        const { meter, sent } = feed({ ...CHAT_STREAM, contentEncoding }, cutAt(noise, [1, 2_000]), ended);
        await meter.settled();
        expect(meter.usage()).toMatchObject({ inputTokens: 11, outputTokens: 1_000, source: 'estimated' });
        expect(sent.equals(noise)).toBe(true);
      }
    }
  });

  it('settles when nothing came at all', async () => {
    const { meter } = feed({ ...CHAT_STREAM, contentEncoding: 'gzip' }, [], false);
    await meter.settled();
    await meter.settled();
    expect(meter.usage()).toMatchObject({ inputTokens: 11, outputTokens: 0 });
  });

  it('takes bytes after its end without harm', async () => {
    const { meter } = feed({ ...CHAT_STREAM, contentEncoding: 'gzip' }, [gzipSync(events(usageChunk(3, 4)))]);
    meter.write(Buffer.from('late'));
    meter.end();
    await meter.settled();
    expect(meter.usage().outputTokens).toBe(4);
  });
});
