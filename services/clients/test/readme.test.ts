/** What the README and its companions tell a newcomer to do, done as it stands: only the address is that of a running Nexus. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type StartedProcess, startProcess, tempDir } from '@nexus/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PythonEnvironment, pythonVariables, runPython, whyNoPython } from './python-environment.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MAIN = join(ROOT, 'services/gateway/src/main.ts');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const ADDRESS = 'http://127.0.0.1:8080';

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function runCommand(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
  return new Promise((resolve) => {
    execFile(command, args, { env, cwd: ROOT, timeout: 15_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** A section of the README: from its heading to the next. */
function section(heading: string): string {
  const [, text] = README.split(`\n## ${heading}\n`);
  if (text === undefined) throw new Error(`The README has no section "${heading}".`);
  return text.split('\n## ')[0] ?? '';
}

/** The blocks indented by four spaces, without the indentation. */
function indentedBlocks(text: string): string[] {
  return [...text.matchAll(/(?<=\n\n)(?: {4}.*\n)+/g)].map(([block]) => block.replaceAll(/^ {4}/gm, ''));
}

/** The blocks between ```python and ```. */
function pythonBlocks(text: string): string[] {
  return [...text.matchAll(/```python\n([\s\S]*?)```/g)].map(([, code = '']) => code);
}

/** The only block that begins so. */
function only(blocks: readonly string[], pattern: RegExp): string {
  const found = blocks.filter((block) => pattern.test(block));
  expect(found, `one block of the README like ${pattern}`).toHaveLength(1);
  return found[0] ?? '';
}

describe('the five minutes of the README', () => {
  let gateway: StartedProcess;
  const shell = indentedBlocks(section('Five minutes'));
  const python = pythonBlocks(section('Five minutes'));

  beforeAll(async () => {
    gateway = await startProcess({
      command: process.execPath,
      args: [MAIN, '--simulate', '--listen-port', '0', '--listen-host', '127.0.0.1'],
      cwd: ROOT,
      env: { NODE_OPTIONS: undefined, CONFIG_PATH: undefined },
      readyWhen: /"message":"listening","url":"([^"]+)"/,
    });
  });
  afterAll(() => gateway?.[Symbol.asyncDispose]());

  /** The example for this gateway. */
  const here = (example: string): string => {
    expect(example).toContain(ADDRESS);
    return example.replaceAll(ADDRESS, gateway.url ?? '');
  };
  const sh = (example: string) => runCommand('sh', ['-c', here(example)], pythonVariables());

  /** Waits until the demo key has its whole burst again: what stands before an example shall not refuse it. */
  const refilled = () =>
    expect.poll(async () => (await limits()).stdout, { timeout: 5_000 }).toMatch(/"size":20,"available":20,/);
  const limits = () => sh(only(shell, /nexus\/limits/));

  const ENVIRONMENTS: readonly PythonEnvironment[] = ['openai-latest', 'openai-0.28.1'];
  it('has one Python program for each SDK that is tested', () => {
    expect(python).toHaveLength(ENVIRONMENTS.length);
  });
  for (const [index, environment] of ENVIRONMENTS.entries()) {
    it(`the Python program for ${environment} prints an answer`, async ({ skip }) => {
      const missing = whyNoPython(environment);
      if (missing !== undefined) skip(missing);
      await refilled();
      const { code, stdout, stderr } = await runPython(environment, here(python[index] ?? ''));
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout.trim().split(' ').length).toBeGreaterThan(3);
    });
  }

  it('the first curl prints an answer', async () => {
    await refilled();
    const { code, stdout } = await sh(only(shell, /^curl .*\/v1\/chat\/completions/));
    expect(code).toBe(0);
    const message = { role: 'assistant', content: expect.stringMatching(/\w+ \w+/) };
    expect(JSON.parse(stdout)).toMatchObject({ choices: [{ message }] });
  });

  it('thirty requests at once end in some 200 and some 429, and in nothing else', async () => {
    await refilled();
    const { code, stdout, stderr } = await sh(only(shell, /sort \| uniq -c/));
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const counts = new Map(
      stdout.matchAll(/(\d+) (\S+)\n/g).map(([, count, status]) => [status, Number(count)]),
    );
    expect([...counts.keys()]).toEqual(['200', '429']);
    expect(counts.get('200')).toBeGreaterThanOrEqual(20);
    expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBe(30);
  });

  it('a refusal names the limit, what was used, what was asked for and the wait', async () => {
    await refilled();
    const { stdout } = await sh(only(shell, /grep/));
    // Thirty at once write to one pipe: two answers may stand in a line.
    const [first = ''] = /\{"error":\{.*?\}\}/.exec(stdout) ?? [];
    expect(JSON.parse(first)).toMatchObject({
      error: {
        code: 'rate_limit_exceeded',
        message: expect.stringMatching(
          /requests.*Limit 20, Used \d+, Requested 1\. Please try again in \d+m?s/,
        ),
      },
    });
  });

  it('the key sees its limits, which takes nothing', async () => {
    await refilled();
    for (let times = 0; times < 3; times += 1) {
      const { code, stdout } = await limits();
      expect(code).toBe(0);
      expect(stdout).toMatch(/^HTTP\/1\.1 200 /);
      expect(stdout).toMatch(/requests_per_second",.*?"size":20,"available":20,/);
    }
  });
});

describe('the configurations of the README', () => {
  const examples = indentedBlocks(section('Configure')).filter((block) => /^\w+:/.test(block));

  it('are the two that are tested', () => {
    expect(examples.map((text) => /^\w+/.exec(text)?.[0])).toEqual(['listen_port', 'keys']);
  });
  for (const [index, example] of examples.entries()) {
    it(`number ${index + 1} has no problem`, async () => {
      const file = join(await tempDir(), 'config.yaml');
      const alone = example.includes('target_url') ? '' : 'target_url: https://api.openai.com\n';
      await writeFile(file, alone + example);
      const names = [...example.matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => [name, `sk-of-${name}`]);
      const env = { ...process.env, NODE_OPTIONS: undefined, ...Object.fromEntries(names) };
      const { code, stdout, stderr } = await runCommand(process.execPath, [MAIN, 'check', file], env);
      expect(stderr).toBe('');
      expect(stdout).toContain('is good.');
      expect(code).toBe(0);
    });
  }

  it('begin with what config.yaml has', () => {
    expect(readFileSync(join(ROOT, 'config.yaml'), 'utf8')).toContain(examples[0]);
  });
});

describe('what the documents name', () => {
  const pages = readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`);

  for (const page of ['README.md', 'CONTRIBUTING.md', ...pages]) {
    it(`every relative link of ${page} leads to a file`, () => {
      const targets = [...readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, target = '']) => target.replace(/#.*/, ''))
        .filter((target) => target !== '' && !/^[a-z]+:/.test(target));
      expect(targets.filter((target) => !existsSync(join(ROOT, dirname(page), target)))).toEqual([]);
    });
  }

  it('every path after `npm test --` in the README exists', () => {
    const paths = [...README.matchAll(/npm test -- ([^`\n#]+)/g)].flatMap(([, list = '']) =>
      list.trim().split(/\s+/),
    );
    expect(paths.length).toBeGreaterThan(5);
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});
