// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own ${NAME} stands in these texts.
import { threadCpuMs } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { loadText, problemLines, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();
const GOOD = 'target_url: https://api.openai.com\n';

describe('YAML', () => {
  it('with tabs, open quotes or wrong indentation is a problem with its line', () => {
    expect(problemLines(folder, `${GOOD}limits:\n\trequests_per_second: 1\n`)).toEqual([
      '3: a tab stands where YAML wants spaces; indent with spaces',
    ]);
    expect(problemLines(folder, `${GOOD}log_level: "info\n`)).toEqual([
      expect.stringContaining('a character is missing'),
    ]);
    expect(problemLines(folder, `${GOOD}listen_port: 1\n  log_level: info\n`)).not.toEqual([]);
    expect(problemLines(folder, `${GOOD}limits: { requests_per_second: 1\n`)).not.toEqual([]);
  });

  it('with an unquoted variable between braces says to quote it', () => {
    expect(problemLines(folder, 'keys: [{ id: a, key: ${KEY} }]')).toEqual([
      '1: ${…} stands unquoted between braces or brackets, where YAML reads a mapping; write it in quotes: "${NAME}"',
    ]);
  });

  it('with a repeated name is a problem at the second, nested or not', () => {
    expect(problemLines(folder, 'listen_port: 1\nlimits:\n  burst: 1\n  burst: 2\nlisten_port: 2\n')).toEqual(
      [
        expect.stringContaining('3: `limits.burst` belongs to'),
        '4: this name stands twice in one mapping, first in line 3; keep one of them',
        '5: this name stands twice in one mapping, first in line 1; keep one of them',
      ],
    );
  });

  it('with anchors, aliases and merge keys works', () => {
    const { config } = loadText(
      folder,
      'limits: &base { requests_per_second: 5, requests_per_day: 9 }\n' +
        'gateway: { limits: *base }\nmodels: { m: { limits: { <<: *base, requests_per_second: 6 } } }\n',
    );
    expect(config.gateway?.buckets).toEqual(config.keyLimits.buckets);
    expect(config.models[0]?.limits.buckets).toMatchObject([{ amount: 6 }, { amount: 9 }]);
  });

  it('names a mistake in an anchor once', () => {
    expect(
      problemLines(
        folder,
        'limits: &base { requests_per_day: -5 }\ngateway: { limits: *base }\nmodels: { m: { limits: { <<: *base } } }',
      ),
    ).toHaveLength(3);
    expect(
      problemLines(folder, 'limits: &base { requests_per_day: "${X}" }\ngateway: { limits: *base }'),
    ).toHaveLength(1);
  });

  it('with an alias to nothing, to itself, or a merge of no mapping is a problem', () => {
    expect(problemLines(folder, 'limits: *gone')).toEqual([
      expect.stringContaining('1: an alias refers to an anchor'),
    ]);
    expect(problemLines(folder, 'limits: &me { requests_per_day: *me }')).toEqual([
      expect.stringContaining('1: an alias'),
    ]);
    expect(problemLines(folder, 'limits: { <<: 3 }')).toEqual([expect.stringContaining('merges something')]);
  });

  it('that expands without end is refused fast: by breadth, by depth, by merging, by nesting', () => {
    const level = (n: number) => `b${n}: &b${n} [${`*b${n - 1},`.repeat(10)}]\n`;
    const breadth = `b0: &b0 [1]\n${Array.from({ length: 40 }, (_, n) => level(n + 1)).join('')}keys: *b40`;
    const depth = `b0: &b0 [1]\n${Array.from({ length: 5_000 }, (_, n) => `b${n + 1}: &b${n + 1} [*b${n}]\n`).join('')}keys: *b5000`;
    const names = Array.from({ length: 5_000 }, (_, n) => `n${n}: 1`).join(', ');
    const merging = `x: &x { ${names} }\ny: { <<: [${'*x,'.repeat(100_000)}] }`;
    const nesting = `keys: ${'['.repeat(5_000)}${']'.repeat(5_000)}`;
    for (const bomb of [breadth, depth, merging, nesting]) {
      const began = threadCpuMs();
      const lines = problemLines(folder, bomb).join('\n');
      expect(lines).toMatch(/expand to more|more than a million names|nested too deeply/);
      expect(threadCpuMs() - began).toBeLessThan(3_000);
    }
  });

  it('with unknown tags is a problem, and a directive does not change how values are read', () => {
    expect(problemLines(folder, 'log_level: !secret info')).toEqual([expect.stringContaining('a YAML tag')]);
    expect(problemLines(folder, '%YAML 1.1\n---\nask_usage: yes\n')).toEqual([
      '3: `ask_usage` is neither true nor false; write true or false',
    ]);
  });

  it('with names of JavaScript is refused and changes no prototype', () => {
    for (const name of ['__proto__', 'constructor', 'prototype']) {
      for (const text of [
        `${name}: { polluted: 1 }`,
        `limits: { ${name}: 1 }`,
        `models: { ${name}: { limits: {} } }`,
        `timeouts: { ${name}: { prototype: { polluted: 1 } } }`,
        `keys: [{ id: a, key: b, ${name}: { polluted: 1 } }]`,
        `api_keys: { ${name}: sk-1 }`,
        `x: &x { ${name}: { polluted: 1 } }\nlimits: { <<: *x }`,
      ]) {
        expect(problemLines(folder, text).join('\n'), text).toContain(`\`${name}\` cannot be a name`);
      }
      expect(problemLines(folder, GOOD, { args: [`--${name}`, 'x'] })).toHaveLength(1);
      expect(problemLines(folder, GOOD, { args: [`--${name}.polluted=x`] })).toHaveLength(1);
    }
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});
