import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { tempDir } from '@nexus/testkit';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { nexus } from '../ledger/run-command.ts';

const folder = await tempDir();
const good = join(folder, 'good.yaml');
writeFileSync(good, 'target_url: http://127.0.0.1:9\nlisten_host: 127.0.0.1\nlisten_port: 0\n');
const bad = join(folder, 'bad.yaml');
writeFileSync(bad, 'target_url: 5\n');

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the exit code', () => {
  it.each([
    ['serving with an unknown flag', ['--nope']],
    ['serving with a flag that has no value', ['--config', good, '--listen-port']],
    ['checking with an unknown flag', ['check', good, '--nope']],
    ['checking with a value that cannot be', ['check', good, '--listen-port', '99999']],
    ['a command that there is not', ['nope']],
  ])('is 2 for %s', async (_name, args) => {
    const { code, stderr } = await nexus(...args);
    expect({ code, said: stderr !== '' }).toEqual({ code: 2, said: true });
  });

  it.each([
    ['serving a bad file', ['--config', bad]],
    ['checking a bad file', ['check', bad]],
    ['checking a file that is not there', ['check', join(folder, 'nowhere.yaml')]],
  ])('is 1 for %s', async (_name, args) => {
    const { code, stderr } = await nexus(...args);
    expect({ code, said: stderr !== '' }).toEqual({ code: 1, said: true });
  });

  it('is 0 for a good file', async () => {
    expect((await nexus('check', good)).code).toBe(0);
  });
});

describe('an address that is taken', () => {
  const taken = createServer();
  afterEach(() => {
    taken.close();
  });

  it('is named as it is: the admin address, with its own remedy', async () => {
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const at = `127.0.0.1:${address.port}`;
    const { code, stderr } = await nexus('--config', good, '--admin-listen', at);
    expect(code).toBe(1);
    expect(stderr).toContain(`nexus: ${at}: the port is in use.`);
    expect(stderr).toContain('--admin-listen 127.0.0.1:');
  });
});
