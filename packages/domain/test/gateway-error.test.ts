import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERROR_KINDS, type ErrorCode, GatewayError } from '../src/index.ts';

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');

/** The rows of the page's table of errors, by code. */
function documented(): Map<string, string[]> {
  const table = page.slice(page.indexOf('## Errors'));
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  return new Map(
    rows.map((row) => {
      const cells = row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1'));
      return [cells[0] ?? '', cells];
    }),
  );
}

describe('the table of errors', () => {
  it('is the one of docs/errors.md, in both directions', () => {
    expect([...documented().keys()].sort()).toEqual(Object.keys(ERROR_KINDS).sort());
  });

  it.each(Object.keys(ERROR_KINDS).filter(isCode))('tells the same of %s in code and docs', (code) => {
    const error = new GatewayError(code);
    const shouldRetry = error.shouldRetry === undefined ? '' : String(error.shouldRetry);
    expect(documented().get(code)).toEqual([
      code,
      String(error.status),
      error.type,
      shouldRetry,
      error.message,
    ]);
  });

  it('never uses a status that makes an SDK loop, or that no SDK takes for a limit', () => {
    for (const { status } of Object.values(ERROR_KINDS)) expect([402, 403, 409, 412]).not.toContain(status);
  });
});

function isCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_KINDS, text);
}
