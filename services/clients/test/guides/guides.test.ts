/** Each guide is followed to the letter, by one process and by three that share a Redis: its files, its commands, and what it shows of their output. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { noRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it } from 'vitest';
import { GUIDES, isAsShown } from './guide.ts';
import { walk } from './walk.ts';

const names = readdirSync(GUIDES)
  .filter((name) => name.endsWith('.md'))
  .map((name) => name.replace('.md', ''));

it('there are five guides', () => {
  expect(names.toSorted()).toEqual(['governance', 'operations', 'saas', 'startup', 'testing']);
});

describe.each(names)('the guide docs/guides/%s.md', (name) => {
  it('does as it says with one process', { timeout: 120_000 }, () => walk(name));

  it('does as it says with three processes on one Redis', { timeout: 180_000 }, async ({ skip }) => {
    if (noRedis) skip(noRedis);
    await walk(name, 3);
  });

  it('links to files that exist', () => {
    const targets = [...readFileSync(join(GUIDES, `${name}.md`), 'utf8').matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target.replace(/#.*/, ''))
      .filter((target) => target !== '' && !/^[a-z]+:/.test(target));
    expect(targets.filter((target) => !existsSync(join(GUIDES, target)))).toEqual([]);
  });
});

describe('output as a guide shows it', () => {
  it.each([
    ['200\n', '200\n', true],
    ['200\n200\n', '200\n', false],
    ['429\n', '200\n', false],
    ['wait 1.5s, then\n', 'wait …, then\n', true],
    ['wait 1.5s\nthen\n', 'wait …then\n', false],
    ['a\nb\nc\n', 'a\n…\nc\n', true],
    ['a (b) [c]\n', 'a (b) [c]\n', true],
    ['a b c\n', 'a (b) [c]\n', false],
  ])('%j against %j is %s', (printed, shown, same) => {
    expect(isAsShown(printed, shown)).toBe(same);
  });
});
