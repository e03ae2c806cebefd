import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { explained } from '../../src/replay/explained.ts';
import { readLog } from '../../src/replay/log-lines.ts';
import { type RunningGateway, requestLines, startInFrontOf, startWithSimulator } from '../running-gateway.ts';
import { simulator } from '../upstream/upstream-simulators.ts';

/** What is said of each of a gateway's first requests. */
async function said(running: RunningGateway, count: number): Promise<string[]> {
  await requestLines(running, count);
  return saidOf(running.logText());
}

async function saidOf(log: string): Promise<string[]> {
  const file = join(await tempDir(), 'nexus.log');
  writeFileSync(file, log);
  const texts: string[] = [];
  for await (const request of readLog(file)) texts.push(explained(request));
  return texts;
}

describe('what is said of a request', () => {
  it('has budgets and costs in dollars, to the last digit', async () => {
    const running = await startWithSimulator(
      'prices: { "gpt*": { usd_per_call: 0.30000001 } }\nlimits: { usd_per_day: 0.5 }\n',
    );
    for (let count = 0; count < 2; count += 1) await (await running.chat()).text();
    const [passed, refused] = await said(running, 2);
    expect(passed).toContain('  cost      $0.30000001\n');
    expect(refused).toMatch(/refused {3}by key:[^ ]+\/usd_per_day\n/);
    expect(refused).toContain(
      'it holds $0.50, $0.30000001 were in use, and the request asked for $0.30000001\n',
    );
    // The rest of the day.
    expect(refused).toMatch(/room came (?:\d+h\d+m|\d+m)?[\d.]+m?s later, if nobody else took it\n/);
  });

  it('has waits in hours, minutes and seconds, and amounts of anything but money as they are', async () => {
    const line = (limit: string, waitMs: number | 'never') =>
      `${JSON.stringify({
        time: '2026-11-23T06:00:00.000Z',
        request_id: 'x',
        path: '/v1/chat/completions',
        status: 429,
        decision: 'denied',
        limit,
        limit_size: 1_500_000_000,
        used: 1,
        requested: 2,
        retry_after_ms: waitMs,
      })}\n`;
    const texts = await saidOf(
      [
        line('team:search/usd_per_month', 90_061_000),
        line('key:usd_per_day/model_tokens_per_minute', 61_500),
        line('gateway/requests_per_second', 12.3),
        line('team:a/usd_per_day', 'never'),
      ].join(''),
    );
    expect(texts[0]).toContain(
      'holds $1.50, $0.000000001 were in use, and the request asked for $0.000000002',
    );
    expect(texts[0]).toContain('room came 25h1m1s later');
    expect(texts[1]).toContain('it holds 1500000000, 1 were in use, and the request asked for 2');
    expect(texts[1]).toContain('room came 1m1.5s later');
    expect(texts[2]).toContain('room came 13ms later');
    expect(texts[3]).toContain('waiting does not help');
  });

  it('has the upstream that answered, and how often it was sent', async () => {
    const [a, b] = [await simulator(), await simulator()];
    a.faults.always('error-500');
    const running = await startInFrontOf(
      undefined,
      `upstreams:
  - { name: a, target_url: "${a.url}", models: ["gpt-4o*"], keys: [k1], fallback: b, fallback_on: [5xx] }
  - { name: b, target_url: "${b.url}", keys: [k2] }
limits: { requests_per_hour: 2 }
`,
    );
    await (await running.chat()).text();
    await (await running.chat({ model: 'o3' })).text();
    await (await running.chat()).text();
    const texts = await said(running, 3);
    expect(texts[0]).toContain('  answered  200; upstream b, at attempt 2\n');
    expect(texts[1]).toContain('  answered  200; upstream b\n');
    expect(texts[2]).toContain('  answered  429\n');
  });
});
