// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own ${NAME} stands in these texts.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { threadCpuMs } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../src/index.ts';
import { loadText, problemLines, refusal, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();
const GOOD = 'target_url: https://api.openai.com\n';

describe('a file', () => {
  it('that is missing is a problem that says how to make one, and that no other was named', () => {
    const cwd = join(folder, 'nothing');
    mkdirSync(cwd);
    expect(String(refusal(() => loadConfig({ args: [], env: {}, cwd })))).toBe(
      "config.yaml: the file does not exist, and neither CONFIG_PATH nor --config names another; make one: echo 'target_url: https://api.openai.com' > config.yaml",
    );
    const env = { CONFIG_PATH: 'other.yaml' };
    expect(String(refusal(() => loadConfig({ args: [], env, cwd })))).toBe(
      "other.yaml: the file does not exist; make one: echo 'target_url: https://api.openai.com' > other.yaml",
    );
  });

  it('that is a directory is a problem', () => {
    const load = () => loadConfig({ args: ['--config', '.'], env: {}, cwd: folder });
    expect(String(refusal(load))).toContain('this is a directory; name the file in it');
  });

  it('that may not be read is a problem', () => {
    writeFileSync(join(folder, 'locked.yaml'), GOOD);
    chmodSync(join(folder, 'locked.yaml'), 0);
    const load = () => loadConfig({ args: ['--config', 'locked.yaml'], env: {}, cwd: folder });
    // Root may read everything, so as root the test acts for a moment as nobody.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      expect(String(refusal(load))).toContain('may not be read by this user');
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it('that cannot be read, as a socket, is a problem', async () => {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(join(folder, 'socket.yaml'), listening));
    const load = () => loadConfig({ args: ['--config', 'socket.yaml'], env: {}, cwd: folder });
    expect(String(refusal(load))).toContain('the file cannot be read (ENXIO)');
    await new Promise((closed) => server.close(closed));
  });

  it('whose path goes through a file does not exist', () => {
    writeFileSync(join(folder, 'plain.yaml'), GOOD);
    const load = () => loadConfig({ args: ['--config', 'plain.yaml/x'], env: {}, cwd: folder });
    expect(String(refusal(load))).toContain('the file does not exist');
  });

  it('that is empty, blank, or only comments is a problem', () => {
    expect(problemLines(folder, '')).toEqual([
      '1: the file is empty; write at least `target_url: https://api.openai.com`',
    ]);
    expect(problemLines(folder, ' \n\n')).toEqual([expect.stringContaining('1: the file is empty')]);
    for (const text of ['# only\n# comments\n', '---\n', 'null', '{}', '~']) {
      expect(problemLines(folder, text), text).toEqual([
        expect.stringContaining('1: the file holds no settings'),
      ]);
    }
  });

  it('that is no mapping is a problem', () => {
    expect(problemLines(folder, '- a\n- b')).toEqual([
      expect.stringContaining('the file holds a list instead'),
    ]);
    expect(problemLines(folder, 'target_url')).toEqual([expect.stringContaining('holds a single value')]);
  });

  it('with a byte order mark or Windows line ends is fine, and its lines are counted right', () => {
    expect(loadText(folder, `\uFEFF${GOOD}listen_port: 81`).config.listenPort).toBe(81);
    expect(
      loadText(folder, 'listen_port: 82\r\nlimits:\r\n  requests_per_second: 1\r\n').config.listenPort,
    ).toBe(82);
    expect(problemLines(folder, 'listen_port: 82\r\n\r\nlog_level: x\r\n')).toEqual([
      expect.stringMatching(/^3: /),
    ]);
    expect(problemLines(folder, '\uFEFFlisten_port: x')).toEqual([expect.stringMatching(/^1: /)]);
  });

  it('in Latin-1 or UTF-16 is a problem with the line', () => {
    expect(problemLines(folder, Buffer.from(`${GOOD}# caf\xe9\n`, 'latin1'))).toEqual([
      '2: the file is not UTF-8 text; save it as UTF-8',
    ]);
    expect(problemLines(folder, Buffer.from('\uFEFFlisten_port: 1', 'utf16le'))).toEqual([
      expect.stringContaining('UTF-8'),
    ]);
  });

  it('of 10 MB is refused at once', () => {
    writeFileSync(join(folder, 'huge.yaml'), `a: [${'x,'.repeat(5 * 2 ** 20)}]`);
    const began = threadCpuMs();
    const load = () => loadConfig({ args: ['--config', 'huge.yaml'], env: {}, cwd: folder });
    expect(String(refusal(load))).toContain('larger than 1 MB');
    expect(threadCpuMs() - began).toBeLessThan(250);
  });

  it('of several documents is a problem', () => {
    expect(problemLines(folder, `${GOOD}---\nlisten_port: 1\n`)).toEqual([
      '2: the file holds several YAML documents; keep one, without `---` between',
    ]);
    expect(loadText(folder, `---\n${GOOD}`).config.listenPort).toBe(8_080);
  });
});
