// What a log line costs: `node packages/observe/bench/log.bench.ts > /dev/null` prints microseconds a line on standard error.

import { createLog } from '../src/log.ts';
import type { RequestLine } from '../src/request-line.ts';

const LINES = 20_000;
/** Lines in one turn of the event loop. */
const TURN = 20;

const admitted: RequestLine = {
  message: 'request completed',
  requestId: 'req_0f8fad5bd9cb469fa16570867728950e',
  keyId: 'search-prod',
  method: 'POST',
  path: '/v1/chat/completions',
  model: 'gpt-4o-mini',
  stream: true,
  status: 200,
  upstreamStatus: 200,
  decision: 'admitted',
  estimate: { inputTokens: 812, outputTokens: 256 },
  usage: {
    inputTokens: 812,
    outputTokens: 143,
    cachedInputTokens: 0,
    reasoningTokens: 0,
    source: 'reported',
  },
  durationMs: 1_834.123_456,
  firstByteMs: 312.987_65,
  limiterMs: 0.123_4,
  upstreamMs: 1_830.111,
  bytesIn: 3_211,
  bytesOut: 9_876,
};

const denied: RequestLine = {
  ...admitted,
  message: 'request denied',
  status: 429,
  decision: 'denied',
  limit: 'key:search-prod/requests_per_second',
  limitSize: 20,
  used: 20,
  requested: 1,
  retryAfterMs: 83,
  errorCode: 'rate_limit_exceeded',
};

async function measure(name: string, line: RequestLine): Promise<void> {
  const log = createLog({ level: 'info' });
  const rounds: number[] = [];
  for (let round = 0; round < 7; round++) {
    let spentNs = 0n;
    const before = process.cpuUsage();
    for (let done = 0; done < LINES; done += TURN) {
      const start = process.hrtime.bigint();
      for (let i = 0; i < TURN; i++) log.request({ ...line, bytesIn: done + i });
      spentNs += process.hrtime.bigint() - start;
      await new Promise(setImmediate);
    }
    await log.flush();
    const cpu = process.cpuUsage(before);
    rounds.push((cpu.user + cpu.system) / LINES);
    if (round === 6) {
      const median = rounds.toSorted((a, b) => a - b)[3] ?? 0;
      process.stderr.write(
        `${name}: ${(Number(spentNs) / LINES / 1_000).toFixed(2)} µs in request(), ${median.toFixed(2)} µs of CPU with the write\n`,
      );
    }
  }
  await log.close();
}

await measure('admitted', admitted);
await measure('denied in a flood', denied);
