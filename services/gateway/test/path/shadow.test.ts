import { describe, expect, it } from 'vitest';
import { requestLines, startWithSimulator } from '../running-gateway.ts';

describe('a limit that is only tried', () => {
  it('refuses nobody, and the log names it where it would have', async () => {
    const running = await startWithSimulator(
      'limits: { requests_per_day: { limit: 2, shadow: true }, requests_per_hour: 4 }',
    );
    const statuses = [];
    for (let count = 0; count < 5; count += 1) {
      const answer = await running.chat();
      statuses.push(answer.status);
      await answer.text();
      await requestLines(running, count + 1);
    }
    expect(statuses).toEqual([200, 200, 200, 200, 429]);
    const lines = await requestLines(running, 5);
    const [key] = String(lines[4]?.limit).split('/');
    expect(lines.map((line) => line.shadow)).toEqual([
      undefined,
      undefined,
      `${key}/requests_per_day`,
      `${key}/requests_per_day`,
      undefined,
    ]);
  });

  it('takes from its bucket what the request used, and from no other', async () => {
    const running = await startWithSimulator(
      'limits: { model_tokens_per_day: { limit: 60, shadow: true }, max_output_tokens: { limit: 5, shadow: true } }',
    );
    const shadowed = [];
    for (let count = 0; count < 6; count += 1) {
      await (await running.chat({ max_tokens: 20 })).text();
      const line = (await requestLines(running, count + 1))[count];
      expect(line?.status).toBe(200);
      shadowed.push(String(line?.shadow).replaceAll(/key:[^/]*\//g, ''));
    }
    expect(shadowed.at(0)).toBe('max_output_tokens');
    expect(shadowed.at(-1)).toBe('model_tokens_per_day max_output_tokens');
  });

  it('frees its slots when the request ends', async () => {
    const running = await startWithSimulator('limits: { concurrent_requests: { limit: 1, shadow: true } }');
    for (let count = 0; count < 3; count += 1) {
      await (await running.chat()).text();
      await requestLines(running, count + 1);
    }
    expect((await requestLines(running, 3)).every((line) => line.shadow === undefined)).toBe(true);
  });
});
