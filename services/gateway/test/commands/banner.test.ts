import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '@nexus/config';
import { tempDir } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { banner } from '../../src/commands/banner.ts';
import { startInFrontOf } from '../running-gateway.ts';

/** What is said at the start with these settings. */
async function said(settings: string, simulated = false): Promise<string> {
  const { gateway } = await startInFrontOf(undefined, settings);
  const file = join(await tempDir(), 'config.yaml');
  writeFileSync(file, settings);
  const { config } = loadConfig({ args: ['--config', file], env: {}, cwd: '/' });
  return banner(config, gateway, simulated);
}

describe('what is said at the start', () => {
  it('names the one address where requests go', async () => {
    const text = await said('target_url: https://api.example.com/proxy/v1\n', true);
    expect(text).toContain('upstream           https://api.example.com/proxy/v1  (a stand-in');
    expect(text).toMatch(/curl http:\/\/[^/]+\/chat\/completions /);
  });

  it('names each upstream with what it takes and where else it sends, and no key', async () => {
    const text = await said(`upstreams:
  - { name: openai, target_url: https://api.openai.com, keys: [canary-1, canary-2], models: ["gpt-*", "!*-audio*"], fallback: azure }
  - { name: azure, target_url: https://x.openai.azure.com/openai, keys: [canary-3] }
  - { name: anthropic, target_url: https://api.anthropic.com, paths: [/v1/messages] }
`);
    const lines = text.split('\n');
    const first = lines.findIndex((line) => line.startsWith('  upstreams '));
    expect(lines.slice(first, first + 3)).toEqual([
      '  upstreams          openai     https://api.openai.com  (takes gpt-* !*-audio*; else azure)',
      '                     azure      https://x.openai.azure.com/openai',
      '                     anthropic  https://api.anthropic.com  (takes /v1/messages)',
    ]);
    expect(text).toMatch(/curl http:\/\/[^/]+\/v1\/chat\/completions /);
    expect(text).not.toContain('canary');
    const simulated =
      'target_url: http://127.0.0.1:9\nupstreams: [{ name: a, target_url: "http://127.0.0.1:8" }]\n';
    expect(await said(simulated, true)).toMatch(
      /a {8}http:\/\/127\.0\.0\.1:8\n +default {2}http:\/\/127\.0\.0\.1:9 {2}\(a stand-in: no key needed, no bill\)\n/,
    );
  });

  it('asks for the key that opens something: any at a stand-in, the provider’s own, or one of Nexus', async () => {
    const target = 'target_url: https://api.example.com\n';
    expect(await said(target, true)).toContain('Bearer demo-key"');
    expect(await said(target)).toContain('Bearer $OPENAI_API_KEY"');
    for (const simulated of [false, true])
      expect(await said(`${target}keys: [{ id: a, key: sk-a }]\n`, simulated)).toContain(
        'Bearer $YOUR_NEXUS_KEY"',
      );
  });
});
