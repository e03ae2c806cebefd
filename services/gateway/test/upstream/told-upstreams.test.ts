import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, tempDir, until } from '@nexus/testkit';
import { describe, expect, it, vi } from 'vitest';
import { nexus } from '../ledger/run-command.ts';
import { requestLines, startInFrontOf } from '../running-gateway.ts';
import { simulator } from './upstream-simulators.ts';

// Longer than any wait in a test: a machine that is busy with others fails none.
vi.setConfig({ testTimeout: 60_000 });

const CALLS = 'model_family="gpt-4o-mini",kind="chat"';

describe('The upstream that answered, and those that did not', () => {
  it('are in the log, the metrics and the ledger, with the money that each asked for', async () => {
    const [a, b] = [await simulator(), await simulator()];
    const path = join(await tempDir(), 'ledger.db');
    const settings = `prices: { "gpt*": { usd_per_call: 0.25 } }
upstreams:
  - { name: gone, target_url: "http://127.0.0.1:${await freePort()}", models: ["gpt-4o*"], keys: [k0], fallback: a }
  - { name: a, target_url: "${a.url}", keys: [k1], fallback: b, fallback_on: [429, 5xx] }
  - { name: b, target_url: "${b.url}", keys: [k2] }
`;
    const running = await startInFrontOf(
      undefined,
      `admin: { listen: "127.0.0.1:0" }\nledger: { path: ${path} }\n${settings}`,
    );
    for (const fault of ['error-500', undefined, 'error-429'] as const) {
      if (fault) a.faults.next(fault);
      const answer = await running.chat();
      expect(answer.status).toBe(200);
      await answer.text();
    }
    const lines = await requestLines(running, 3);
    expect(lines.map(({ upstream, attempts, cost_usd }) => [upstream, attempts, cost_usd])).toEqual([
      ['b', 3, '0.25'],
      ['a', 2, '0.25'],
      ['b', 3, '0.25'],
    ]);
    const page = await (await fetch(`${running.gateway.adminUrl}/metrics`)).text();
    expect(
      page.split('\n').filter((line) => /^nexus_upstream_(requests|given_up)_total\{/.test(line)),
    ).toEqual([
      `nexus_upstream_requests_total{upstream="b",${CALLS},result="2xx"} 2`,
      `nexus_upstream_requests_total{upstream="a",${CALLS},result="2xx"} 1`,
      'nexus_upstream_given_up_total{upstream="gone",result="unreachable"} 3',
      'nexus_upstream_given_up_total{upstream="a",result="5xx"} 1',
      'nexus_upstream_given_up_total{upstream="a",result="429"} 1',
    ]);
    const config = join(await tempDir(), 'config.yaml');
    writeFileSync(config, `ledger: { path: ${path} }\n${settings}`);
    const rows = await until(
      async () => {
        const { stdout } = await nexus('usage', '--config', config, '--by', 'upstream', '--json');
        const report = JSON.parse(stdout);
        return report.total.requests === 3 && report.rows;
      },
      { withinMs: 20_000 },
    );
    expect(rows).toMatchObject([
      { upstream: 'a', requests: 1, cost_usd: '0.25' },
      { upstream: 'b', requests: 2, cost_usd: '0.50' },
    ]);
  });
});
