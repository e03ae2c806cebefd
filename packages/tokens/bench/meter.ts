/**
 * Prints what the meter costs: µs a chunk of a stream, µs a JSON answer, KB of heap an open stream. `node
 * --expose-gc bench/meter.ts`
 */
import { type Meter, type MeterOptions, makeMeter } from '../src/index.ts';

const CHUNKS = 1_000;
const ROUNDS = 30;

const STREAM: MeterOptions = {
  kind: 'chat',
  contentType: 'text/event-stream; charset=utf-8',
  contentEncoding: undefined,
  model: 'gpt-4o-mini',
  inputTokens: 20,
  inputSource: 'counted',
  hideUsage: false,
};

const words = 'the quick brown fox jumps over a lazy dog and then sleeps until tomorrow, maybe longer'.split(
  ' ',
);

function word(index: number): string {
  return ` ${words[index % words.length]}`;
}

function chatChunk(index: number, padding: boolean): string {
  const obfuscation = padding ? `,"obfuscation":"${'AbCdEfGhIj'.slice(index % 8)}"` : '';
  return `data: {"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx","object":"chat.completion.chunk","created":1731000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{"content":"${word(index)}"},"logprobs":null,"finish_reason":null}],"usage":null${obfuscation}}\n\n`;
}

const shapes: Record<string, (index: number) => string> = {
  'chat chunk': (index) => chatChunk(index, false),
  'chat chunk, padded': (index) => chatChunk(index, true),
  'chat chunk, id varies (always parsed)': (index) =>
    chatChunk(index, false).replace('AbCdEf', String(index).padStart(6, '0')),
  'chat chunk with an escape (always parsed)': (index) => chatChunk(index, false).replace('"}', '\\n"}'),
  'responses delta': (index) =>
    `event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":${index},"item_id":"msg_0123456789abcdef0123456789abcdef","output_index":0,"content_index":0,"delta":"${word(index)}","logprobs":[],"obfuscation":"${'AbCdEfGhIj'.slice(index % 8)}"}\n\n`,
  'messages delta': (index) =>
    `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${word(index)}"}}\n\n`,
};

/** Median over the rounds, in µs for each call of `step`. */
function median(rounds: number, calls: number, round: () => void): number {
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const start = process.hrtime.bigint();
    round();
    times.push(Number(process.hrtime.bigint() - start) / 1_000 / calls);
  }
  times.sort((one, other) => one - other);
  return times[rounds >> 1] ?? 0;
}

function row(name: string, value: number, unit: string): void {
  console.log(`${name.padEnd(64)} ${value.toFixed(2).padStart(9)} ${unit}`);
}

/** Array buffers are given back by a second collection, after a turn of the event loop. */
async function collect(gc: () => void | Promise<void>): Promise<void> {
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

let sink = 0;

for (const [name, make] of Object.entries(shapes)) {
  const chunks = Array.from({ length: CHUNKS }, (_, index) => Buffer.from(make(index)));
  for (const hideUsage of name.startsWith('chat') ? [false, true] : [false]) {
    for (const counted of [false, true]) {
      const cost = median(ROUNDS, CHUNKS, () => {
        const meter = makeMeter({ ...STREAM, hideUsage });
        for (const chunk of chunks) sink += meter.write(chunk)?.length ?? 0;
        if (counted) sink += meter.usage().outputTokens;
      });
      row(
        `${name}${hideUsage ? ', usage hidden' : ''}${counted ? ', all text counted' : ''}`,
        cost,
        'µs a chunk',
      );
    }
  }
}

const json = Buffer.from(
  JSON.stringify({
    id: 'chatcmpl-AbCdEfGhIjKlMnOpQrStUvWx',
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: words.join(' ') }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 20, completion_tokens: 20, total_tokens: 40 },
  }),
);
const jsonCost = median(ROUNDS, CHUNKS, () => {
  for (let i = 0; i < CHUNKS; i++) {
    const meter = makeMeter({ ...STREAM, contentType: 'application/json' });
    meter.write(json);
    meter.end();
    sink += meter.usage().outputTokens;
  }
});
row(`JSON answer of ${json.length} bytes`, jsonCost, 'µs an answer');

const numbers = Array.from({ length: 1_536 }, (_, index) => Math.sin(index) / 30);
const vector = JSON.stringify({ object: 'embedding', index: 0, embedding: numbers });
const embeddings = Buffer.from(
  `{"object":"list","data":[${Array.from({ length: 1_200 }, () => vector).join(',')}],"usage":{"prompt_tokens":9,"total_tokens":9}}`,
);
let slowest = 0;
const scanCost = median(5, 1, () => {
  const meter = makeMeter({ ...STREAM, kind: 'embedding', contentType: 'application/json' });
  for (let at = 0; at < embeddings.length; at += 65_536) {
    const start = performance.now();
    meter.write(embeddings.subarray(at, at + 65_536));
    slowest = Math.max(slowest, performance.now() - start);
  }
  meter.end();
  sink += meter.usage().inputTokens;
});
row(
  `embeddings of ${(embeddings.length / 1e6).toFixed(1)} MB in chunks of 64 KB`,
  scanCost / 1_000,
  'ms in all',
);
row('  slowest chunk', slowest, 'ms');

if (globalThis.gc !== undefined) {
  for (const chunkCount of [1, 200, 3_000]) {
    const meters: Meter[] = [];
    await collect(globalThis.gc);
    const before = process.memoryUsage();
    for (let i = 0; i < 500; i++) {
      const meter = makeMeter({ ...STREAM, hideUsage: true });
      for (let j = 0; j < chunkCount; j++) sink += meter.write(Buffer.from(chatChunk(j, true)))?.length ?? 0;
      meters.push(meter);
    }
    await collect(globalThis.gc);
    const after = process.memoryUsage();
    const bytes = after.heapUsed + after.external - before.heapUsed - before.external;
    row(`held by an open stream after ${chunkCount} chunks`, bytes / meters.length / 1_024, 'KB');
  }
}
if (sink === 0) console.log('nothing was metered');
