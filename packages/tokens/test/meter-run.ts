import { type Meter, type MeterOptions, makeMeter } from '../src/meter.ts';

/** A chat stream whose prompt was estimated at 11 tokens. */
export const CHAT_STREAM: MeterOptions = {
  kind: 'chat',
  contentType: 'text/event-stream',
  contentEncoding: undefined,
  model: 'gpt-4o',
  inputTokens: 11,
  inputSource: 'counted',
  hideUsage: false,
};

export const CHAT_JSON: MeterOptions = { ...CHAT_STREAM, contentType: 'application/json' };

/** Feeds the pieces; returns the meter and all that the client gets. */
export function feed(
  options: MeterOptions,
  pieces: readonly (string | Uint8Array)[],
  ended = true,
): { meter: Meter; sent: Buffer } {
  const meter = makeMeter(options);
  const sent: Uint8Array[] = [];
  for (const piece of pieces) {
    const out = meter.write(typeof piece === 'string' ? Buffer.from(piece) : piece);
    if (out !== undefined) sent.push(out);
  }
  const rest = ended ? meter.end() : undefined;
  if (rest !== undefined) sent.push(rest);
  return { meter, sent: Buffer.concat(sent) };
}

/** Cuts `bytes` at the given places (any order, modulo its length). */
export function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = places.map((place) => place % (bytes.length + 1)).sort((one, other) => one - other);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const to of [...sorted, bytes.length]) {
    pieces.push(bytes.subarray(from, to));
    from = to;
  }
  return pieces;
}

export function events(...data: readonly unknown[]): string {
  return data.map((one) => `data: ${typeof one === 'string' ? one : JSON.stringify(one)}\n\n`).join('');
}

export function delta(content: string, more: object = {}): object {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1_731_000_000,
    model: 'gpt-4o',
    choices: [{ index: 0, delta: { content }, finish_reason: null }],
    ...more,
  };
}

export function usageChunk(input: number, output: number): object {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    choices: [],
    usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
  };
}
