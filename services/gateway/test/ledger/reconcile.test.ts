import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir, until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { startWithSimulator } from '../running-gateway.ts';
import { nexus } from './run-command.ts';

const PATIENT = { withinMs: 20_000, everyMs: 50 };
const DAY_MS = 86_400_000;

describe('nexus reconcile', () => {
  it('agrees with what the upstream counted, and not with what it did not', async () => {
    const folder = await tempDir();
    const path = join(folder, 'ledger.db');
    const running = await startWithSimulator(`ledger: { path: ${path} }`);
    const config = join(folder, 'config.yaml');
    writeFileSync(config, `target_url: http://127.0.0.1:9\nledger: { path: ${path} }\n`);
    for (let count = 0; count < 3; count += 1) await (await running.chat()).text();
    const { reportedPromptTokens, reportedCompletionTokens } = running.simulator.usageServed();
    const write = (name: string, more: number) => {
      const file = join(folder, name);
      const result = {
        ...{ model: 'gpt-4o-mini-2024-07-18', num_model_requests: 3 },
        input_tokens: reportedPromptTokens + more,
        output_tokens: reportedCompletionTokens,
      };
      const today = Math.floor(Date.now() / DAY_MS) * (DAY_MS / 1_000);
      writeFileSync(file, JSON.stringify({ data: [{ start_time: today, results: [result] }] }));
      return file;
    };
    const same = write('same.json', 0);
    const agreed = await until(async () => {
      const outcome = await nexus('reconcile', same, '--config', config, '--all');
      return outcome.code === 0 && outcome;
    }, PATIENT);
    expect(agreed.stdout).toContain('gpt-4o-mini');
    expect(agreed.stdout).toContain('agrees with the export: 1 day of a model compared.');
    const differing = await nexus('reconcile', write('more.json', 1), '--config', config);
    expect([differing.code, differing.stderr]).toEqual([1, '']);
    expect(differing.stdout).toContain(`${reportedPromptTokens} / ${reportedPromptTokens + 1}`);
    const lenient = await nexus(
      'reconcile',
      join(folder, 'more.json'),
      '--config',
      config,
      '--tolerance',
      '50',
    );
    expect(lenient.code).toBe(0);
  }, 60_000);

  it('says what is wrong with its export and its command line', async () => {
    const folder = await tempDir();
    const config = join(folder, 'config.yaml');
    writeFileSync(config, 'target_url: http://127.0.0.1:9\nledger: {}\n');
    const file = join(folder, 'bad.json');
    writeFileSync(file, '{"object":"page"}');
    expect(await nexus('reconcile', file, '--config', config)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("the export can't be read"),
    });
    expect((await nexus('reconcile', '--config', config)).code).toBe(2);
  }, 60_000);
});
