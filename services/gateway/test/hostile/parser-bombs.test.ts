import { describe, expect, it } from 'vitest';
import { ADMIN, lives, nothingOpen } from '../faults/wire.ts';
import { startWithSimulator } from '../running-gateway.ts';
import { MESSAGES, postChat } from './chat-text.ts';

describe('A body made to burst a parser', () => {
  const deep = (open: string, close: string, n: number) => open.repeat(n) + close.repeat(n);
  it.each([
    ['100,000 nested arrays', `{"model":"m","messages":${deep('[', ']', 100_000)}}`],
    ['100,000 nested objects', `{"model":"m","messages":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`],
    ['1,000,000 open arrays', `{"model":"m","messages":${'['.repeat(1_000_000)}`],
    [
      '1,000,000 keys',
      `{"model":"m",${MESSAGES},${Array.from({ length: 300_000 }, (_, i) => `"k${i}":0`).join(',')}}`,
    ],
    ['1,000,000 messages', `{"model":"m","messages":[${'{},'.repeat(1_000_000)}{}]}`],
    ['a number of a million digits', `{"model":"m",${MESSAGES},"max_tokens":${'9'.repeat(1_000_000)}}`],
    ['a key of a million letters', `{"model":"m",${MESSAGES},"${'k'.repeat(1_000_000)}":1}`],
    [
      'a million escapes',
      `{"model":"m","messages":[{"role":"user","content":"${'\\u0041'.repeat(500_000)}"}]}`,
    ],
    [
      'a million backslashes',
      `{"model":"m","messages":[{"role":"user","content":"${'\\\\'.repeat(1_000_000)}`,
    ],
    [
      '__proto__',
      `{"model":"m",${MESSAGES},"__proto__":{"max_tokens":1},"constructor":{"prototype":{"x":1}}}`,
    ],
  ])(
    'is refused or passes, and others are answered meanwhile: %s',
    { timeout: 15_000 },
    async (_name, body) => {
      const running = await startWithSimulator(`${ADMIN}limits: { requests_per_minute: 1000 }`);
      await (await running.chat()).text();
      const call = postChat(running.url, body, { 'x-simulate-fault': 'empty-body' });
      let slowest = 0;
      let over = false;
      const done = call.then((answer) => {
        over = true;
        return answer.status;
      });
      while (!over) {
        const startedMs = performance.now();
        expect(await lives(running)).toBe(true);
        slowest = Math.max(slowest, performance.now() - startedMs);
      }
      expect([200, 400, 429]).toContain(await done);
      // A parser that such a body stops stops for many seconds.
      expect(slowest).toBeLessThan(5_000);
      await nothingOpen(running);
      expect(Object.hasOwn(Object.prototype, 'x') || Object.hasOwn(Object.prototype, 'max_tokens')).toBe(
        false,
      );
    },
  );
});
