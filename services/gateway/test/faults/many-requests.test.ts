import { describe, expect, it } from 'vitest';
import { startWithSimulator } from '../running-gateway.ts';
import { ADMIN, nothingOpen, usedBy } from './wire.ts';

const FAULTS = [
  'none',
  'none',
  'none',
  'error-500',
  'error-429',
  'reset-before',
  'reset-midstream',
  'reset-midbody',
  'status-000',
  'bad-chunk-size',
  'empty-body',
  'no-usage',
  'gzip',
  'malformed-sse',
];

describe('Two thousand requests', () => {
  it('with every kind of end leave nothing open', { timeout: 40_000 }, async () => {
    const running = await startWithSimulator(
      `${ADMIN}limits: { concurrent_requests: 64, model_tokens_per_minute: 100000000, requests_per_minute: 100000 }`,
    );
    const headers = { authorization: 'Bearer sk-test-key' };
    const statuses = new Map<number | string, number>();
    let next = 0;
    const worker = async () => {
      while (next < 2_000) {
        const i = next++;
        const fault = FAULTS[i % FAULTS.length] ?? 'none';
        const steer = { 'x-simulate-fault': fault };
        const kind = i % 5;
        const answer = await (kind < 3
          ? running.chat({ stream: kind === 1 }, steer)
          : kind === 3
            ? fetch(`${running.url}/v1/models`, { headers: { ...headers, ...steer } })
            : fetch(`${running.url}/v1/responses/input_tokens`, {
                method: 'POST',
                headers: { ...headers, ...steer },
                body: '{"input":"x"}',
              })
        ).catch(() => undefined);
        await answer?.text().catch(() => {});
        const status = answer?.status ?? 'broken';
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 32 }, worker));
    await nothingOpen(running);
    expect((await usedBy(running)).get('concurrent_requests')).toBe(0);
    expect(running.simulator.hits()).toBe(2_000);
    expect(statuses.get(200)).toBeGreaterThan(1_000);
    expect([...statuses.keys()].filter((status) => ![200, 429, 500, 502, 'broken'].includes(status))).toEqual(
      [],
    );
    expect(running.logText()).not.toContain('internal_error');
  });
});
