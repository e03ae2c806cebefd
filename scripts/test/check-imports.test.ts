import { describe, expect, it } from 'vitest';
import { judgeImport } from '../imports/judge.ts';
import { readImports } from '../imports/read.ts';

const names = new Map(
  ['domain', 'config', 'limits', 'tokens', 'observe', 'simulator', 'testkit', 'bench']
    .map((name): [string, string] => [`@nexus/${name}`, `packages/${name}`])
    .concat([
      ['@nexus/gateway', 'services/gateway'],
      ['@nexus/simulator-service', 'services/simulator'],
    ]),
);

function problemsOf(file: string, source: string): string[] {
  return readImports(file, source).flatMap((site) => judgeImport(file, site, names) ?? []);
}

describe('the direction of imports', () => {
  it.each([
    ['a plain import', `import { x } from '@nexus/limits';`],
    ['an import for its effect', `import '@nexus/limits';`],
    ['a type-only import', `import type { X } from '@nexus/limits';`],
    ['a type-only name', `import { type X } from '@nexus/limits';`],
    ['a re-export', `export { x } from '@nexus/limits';`],
    ['a re-export of everything', `export * from '@nexus/limits';`],
    ['a deep import', `import { x } from '@nexus/limits/src/bucket.ts';`],
    ['import()', `const x = await import('@nexus/limits');`],
    ['import() of a template', 'const x = await import(`@nexus/limits`);'],
    ['an import type', `type X = import('@nexus/limits').X;`],
    ['a typeof import', `type X = typeof import('@nexus/limits');`],
    ['import = require()', `import x = require('@nexus/limits');`],
    ['require()', `createRequire(import.meta.url)('@nexus/limits');`],
    ['import.meta.resolve()', `import.meta.resolve('@nexus/limits');`],
    ['a path', `import { x } from '../../limits/src/bucket.ts';`],
    ['a type-only path', `import type { X } from '../../limits/src/bucket.ts';`],
    ['the URL of a file', `new URL('../../limits/src/bucket.ts', import.meta.url);`],
    ['a service', `import { x } from '@nexus/gateway';`],
    ['the path of a service', `import { x } from '../../../services/gateway/src/app.ts';`],
    ['a tool', `import { x } from '@nexus/testkit';`],
    ['a path out of the source', `import { x } from '../test/fixture.ts';`],
    ['a computed import', `await import(name);`],
  ])('is kept against %s', (_, source) => {
    expect(problemsOf('packages/tokens/src/a.ts', source)).toHaveLength(1);
  });

  it('holds in tests, where only the tools are allowed besides', () => {
    expect(
      problemsOf('packages/tokens/test/a.test.ts', `import '@nexus/testkit'; import '@nexus/domain';`),
    ).toEqual([]);
    expect(problemsOf('packages/tokens/test/a.test.ts', `import '@nexus/limits';`)).toHaveLength(1);
    expect(problemsOf('packages/tokens/test/a.test.ts', `vi.mock('@nexus/limits');`)).toHaveLength(1);
    expect(problemsOf('packages/tokens/test/a.test.ts', `import '../../limits/test/a.ts';`)).toHaveLength(1);
  });

  it('lets the layers import the domain and the gateway the layers', () => {
    expect(problemsOf('packages/limits/src/a.ts', `import '@nexus/domain';`)).toEqual([]);
    expect(problemsOf('services/gateway/src/path/admit.ts', `import '@nexus/limits';`)).toEqual([]);
    expect(problemsOf('packages/limits/src/a.ts', `import '@nexus/observe';`)).toHaveLength(1);
  });

  it('keeps the domain free of every import', () => {
    expect(problemsOf('packages/domain/src/a.ts', `import 'node:fs';`)).toHaveLength(1);
    expect(problemsOf('packages/domain/src/a.ts', `import './decision.ts';`)).toEqual([]);
  });

  it('keeps the simulator free of us, in its tests too', () => {
    expect(problemsOf('packages/simulator/src/a.ts', `import type { X } from '@nexus/domain';`)).toHaveLength(
      1,
    );
    expect(problemsOf('packages/simulator/test/a.test.ts', `import '@nexus/testkit';`)).toHaveLength(1);
    expect(problemsOf('packages/simulator/src/a.ts', `import 'node:http';`)).toEqual([]);
  });

  it('lets only the simulate command of the gateway import the simulator', () => {
    expect(problemsOf('services/gateway/src/commands/simulate.ts', `import '@nexus/simulator';`)).toEqual([]);
    expect(problemsOf('services/gateway/src/main.ts', `import '@nexus/simulator';`)).toHaveLength(1);
  });

  it('keeps testkit and bench apart', () => {
    expect(problemsOf('packages/testkit/src/a.ts', `import '@nexus/bench';`)).toHaveLength(1);
    expect(problemsOf('packages/bench/src/a.ts', `import '@nexus/testkit';`)).toHaveLength(1);
    expect(problemsOf('packages/bench/src/a.ts', `import '@nexus/simulator';`)).toEqual([]);
  });

  it('lets a service be started by its path', () => {
    const start = `new URL('../../../services/gateway/src/main.ts', import.meta.url);`;
    expect(problemsOf('packages/bench/src/a.ts', start)).toEqual([]);
  });

  it('takes the words of a comment or a text for no import', () => {
    const source = `// import '@nexus/limits'\nconst text = "import '@nexus/limits'"; Promise.resolve('node:fs');`;
    expect(problemsOf('packages/domain/src/a.ts', source)).toEqual([]);
  });

  it('asks for a rule for every new package', () => {
    expect(problemsOf('packages/novelty/src/a.ts', `import 'node:fs';`)).toEqual([
      'packages/novelty has no place in scripts/imports/rules.ts',
    ]);
  });

  it('names the line of the import', () => {
    expect(readImports('a.ts', `\n\nimport 'x';`)).toEqual([{ specifier: 'x', kind: 'import', line: 3 }]);
  });
});
