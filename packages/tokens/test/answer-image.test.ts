import { describe, expect, it } from 'vitest';
import { CHAT_JSON, CHAT_STREAM, cutAt, events, feed } from './meter-run.ts';

const IMAGE_JSON = { ...CHAT_JSON, kind: 'image', model: 'gpt-image-1' } as const;
const IMAGE_STREAM = { ...CHAT_STREAM, kind: 'image', model: 'gpt-image-1' } as const;
const SPEECH = { ...CHAT_JSON, kind: 'speech', contentType: 'audio/mpeg' } as const;
/** OpenAI's API reference, images: the usage of gpt-image-1. */
const USAGE = {
  total_tokens: 100,
  input_tokens: 50,
  output_tokens: 50,
  input_tokens_details: { text_tokens: 10, image_tokens: 40 },
};
/** 3 MB that look like a picture. */
const PICTURE = 'iVBORw0KGgo'.padEnd(3_000_000, 'AQIDBA/+');

describe('the answer to a call for images', () => {
  it('reports tokens of images, however large it is and wherever it is cut', () => {
    for (const picture of ['iVBO', PICTURE]) {
      const body = Buffer.from(JSON.stringify({ created: 1, data: [{ b64_json: picture }], usage: USAGE }));
      for (const places of [[], [1, 40, 70_000], [body.length - 20, body.length - 90]]) {
        const { meter, sent } = feed(IMAGE_JSON, cutAt(body, places));
        expect(meter.usage()).toMatchObject({
          inputTokens: 50,
          outputTokens: 50,
          source: 'reported',
          inputParts: { imageTokens: 40 },
          outputParts: { imageTokens: 50, audioTokens: 0, webSearches: 0 },
        });
        expect(sent.equals(body)).toBe(true);
      }
    }
  });

  it('keeps what it says itself of its output', () => {
    const usage = { ...USAGE, output_tokens_details: { image_tokens: 30, text_tokens: 20 } };
    const { meter } = feed(IMAGE_JSON, [JSON.stringify({ data: [], usage })]);
    expect(meter.usage().outputParts).toMatchObject({ imageTokens: 30 });
  });

  it('has no output where it reports none, for base64 is no text', () => {
    const { meter } = feed(IMAGE_JSON, [
      JSON.stringify({ data: [{ b64_json: PICTURE, revised_prompt: 'A' }] }),
    ]);
    expect(meter.usage()).toMatchObject({ inputTokens: 11, outputTokens: 0, source: 'counted' });
  });

  it('is read from the completed event of a stream, small or large, and not before', () => {
    for (const b64_json of ['iVBO', PICTURE]) {
      const partial = { type: 'image_generation.partial_image', b64_json, partial_image_index: 0 };
      const early = feed(IMAGE_STREAM, [events(partial)], false).meter;
      expect(early.usage()).toMatchObject({ inputTokens: 11, outputTokens: 0 });
      const all = Buffer.from(
        events(partial, { type: 'image_generation.completed', b64_json, usage: USAGE }),
      );
      const { meter, sent } = feed(IMAGE_STREAM, cutAt(all, [7, 100, 65_536, all.length - 30]));
      expect(meter.usage()).toMatchObject({ inputTokens: 50, outputTokens: 50, source: 'reported' });
      expect(meter.usage().outputParts?.imageTokens).toBe(50);
      expect(sent.equals(all)).toBe(true);
    }
  });
});

describe('the answer to a call for speech', () => {
  it('is audio in which nothing is looked for', () => {
    const audio = Buffer.from(`ID3{"usage":${JSON.stringify(USAGE)}}`);
    for (const contentType of ['audio/mpeg', 'application/octet-stream', undefined]) {
      const { meter, sent } = feed({ ...SPEECH, contentType }, cutAt(audio, [5, 9]));
      expect(meter.usage()).toMatchObject({ inputTokens: 11, outputTokens: 0, source: 'counted' });
      expect(sent.equals(audio)).toBe(true);
      expect(meter.finished).toBe(true);
    }
  });

  it('tells its usage at the end of a stream', () => {
    const delta = { type: 'speech.audio.delta', audio: Buffer.alloc(9_000, 7).toString('base64') };
    const usage = { input_tokens: 14, output_tokens: 101, total_tokens: 115 };
    const options = { ...SPEECH, contentType: 'text/event-stream' };
    const { meter } = feed(options, [events(delta, delta)], false);
    expect(meter.usage()).toMatchObject({ inputTokens: 11, outputTokens: 0 });
    expect(meter.finished).toBe(false);
    meter.write(Buffer.from(events({ type: 'speech.audio.done', usage })));
    expect(meter.usage()).toMatchObject({ inputTokens: 14, outputTokens: 101, source: 'reported' });
    expect(meter.finished).toBe(true);
  });
});

describe('the answer to a moderation or a rerank', () => {
  it.each(['moderation', 'rerank'] as const)('of a %s has no output, whatever text is in it', (kind) => {
    const body = JSON.stringify({
      results: [{ flagged: false, text: 'word '.repeat(500) }],
      choices: [{ text: 'x' }],
    });
    const { meter } = feed({ ...CHAT_JSON, kind }, [body]);
    expect(meter.usage()).toMatchObject({ inputTokens: 11, outputTokens: 0, source: 'counted' });
    const told = feed({ ...CHAT_JSON, kind }, ['{"results":[],"usage":{"total_tokens":37}}']).meter;
    expect(told.usage()).toMatchObject({ inputTokens: 37, outputTokens: 0, source: 'reported' });
  });
});
