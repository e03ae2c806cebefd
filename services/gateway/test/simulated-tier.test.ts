/** The stand-in limits by code that shares nothing with the gateway's limiter: two readings of the same published rule must refuse the same. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '@nexus/config';
import { MemoryLimiter } from '@nexus/limits';
import { startSimulator } from '@nexus/simulator';
import { tempDir } from '@nexus/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const FIRST_MS = 1_790_000_000_000;

/** The limits that a configuration gives each key. */
async function limitsOf(settings: string) {
  const file = join(await tempDir(), 'config.yaml');
  writeFileSync(file, `limits: ${settings}\n`);
  return loadConfig({ args: ['--config', file], env: {}, cwd: '/' }).config.keyLimits;
}

describe('the limits of a tier of OpenAI', () => {
  it.each([
    ['1', 'gpt-4.1', '{ requests_per_minute: 500, model_tokens_per_minute: 30000 }', 30_000],
    ['free', 'gpt-4o-mini', '{ requests_per_minute: 3, model_tokens_per_minute: 40000 }', 40_000],
  ] as const)(
    'of tier %s for %s refuse the same in Nexus and in the stand-in, with the same wait',
    async (tier, model, settings, limit) => {
      const { buckets, sizes } = await limitsOf(settings);
      let nowMs = FIRST_MS;
      const limiter = new MemoryLimiter({ clock: () => nowMs });
      const simulator = await startSimulator({ tier, nowMs: () => nowMs, outputTokens: 1, record: false });
      let owner = 0;
      const seen = { through: 0, refused: 0 };
      const call = fc.record({
        waitMs: fc.nat(25_000),
        tokens: fc.integer({ min: 10, max: Math.floor(limit * 0.7) }),
      });
      try {
        await fc.assert(
          fc.asyncProperty(fc.array(call, { minLength: 20, maxLength: 30 }), async (calls) => {
            owner += 1;
            const owners = [{ owner: `key:${owner}`, buckets, sizes }];
            for (const [i, { waitMs, tokens }] of calls.entries()) {
              nowMs += waitMs;
              const answer = await fetch(`${simulator.url}/v1/chat/completions`, {
                method: 'POST',
                headers: { 'content-type': 'application/json', authorization: `Bearer key-${owner}` },
                body: JSON.stringify({
                  model,
                  max_tokens: tokens,
                  messages: [{ role: 'user', content: 'Hi' }],
                }),
              });
              await answer.arrayBuffer();
              const decision = await limiter.admit({
                requestId: `${owner}/${i}`,
                owners,
                demand: { requests: 1, inputTokens: 0, outputTokens: tokens },
              });
              expect(decision.admitted, JSON.stringify(calls.slice(0, i + 1))).toBe(answer.status === 200);
              seen[decision.admitted ? 'through' : 'refused'] += 1;
              if (decision.admitted) {
                // As OpenAI counts: what was asked for, whatever the answer needed.
                await limiter.settle(decision.reservation, { inputTokens: 0, outputTokens: tokens });
                continue;
              }
              const toldMs = Number(answer.headers.get('retry-after-ms'));
              // The stand-in rounds to the nearest millisecond, Nexus up.
              expect(Math.abs(Number(decision.retryAfterMs) - toldMs)).toBeLessThanOrEqual(1);
            }
          }),
          { numRuns: 12 },
        );
      } finally {
        await limiter.close();
        await simulator.close();
      }
      expect(seen.through).toBeGreaterThan(20);
      expect(seen.refused).toBeGreaterThan(20);
    },
  );
});
