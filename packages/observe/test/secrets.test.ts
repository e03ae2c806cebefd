import { describe, expect, it } from 'vitest';
import { createLog, type Log } from '../src/index.ts';
import { FULL_LINE, SMALL_LINE } from './request-sample.ts';

function logTo(lines: string[]): Log {
  return createLog({ level: 'debug', write: (line) => lines.push(line), clock: () => 0 });
}

describe('a secret', () => {
  const CANARY = 'sk-canary-0123456789abcdefCANARY';
  const texts = [
    CANARY,
    `Bearer ${CANARY}`,
    `redis://u:${CANARY}@h`,
    `api-key: ${CANARY}`,
    `x\n${CANARY}\u2028`,
  ];

  it('comes out of no entry, by whichever door it goes in', () => {
    const lines: string[] = [];
    for (const text of texts) {
      const log = logTo(lines);
      const error = new Error(text, { cause: new Error(text, { cause: text }) });
      error.name = text;
      Object.assign(error, { code: text, config: text, request: { headers: [text] } });
      for (const write of [log.debug, log.info, log.warn, log.error]) {
        write.call(log, text);
        write.call(log, 'failed', { error });
        write.call(log, 'failed', {
          error: text,
          nested: error,
          list: [text, [text]],
          map: { [text]: text },
        });
        write.call(log, 'failed', { [text]: 1, keyId: text, owner: text, reason: text });
      }
      for (const status of [200, 429, 500]) {
        log.request({
          ...FULL_LINE,
          status,
          requestId: text,
          keyId: text,
          client: text,
          method: text,
          path: `/v1/${text}?key=${text}`,
          model: text,
          upstreamRequestId: text,
          limit: text,
          errorCode: text,
          error,
        });
      }
    }
    expect(lines.length).toBeGreaterThan(80);
    for (const line of lines) expect(line).not.toMatch(/canary/i);
  });

  it('that Nexus adds to a request line beside its fields is not written', () => {
    const lines: string[] = [];
    logTo(lines).request(Object.assign({ headers: { authorization: CANARY }, body: CANARY }, SMALL_LINE));
    expect(lines[0]).not.toContain('canary');
  });
});
