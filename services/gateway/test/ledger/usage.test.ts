import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir, until } from '@nexus/testkit';
import { describe, expect, it, vi } from 'vitest';
import { startWithSimulator } from '../running-gateway.ts';
import { nexus } from './run-command.ts';

// Longer than any wait in a test: a machine that is busy with others fails none.
vi.setConfig({ testTimeout: 60_000 });

const PATIENT = { withinMs: 20_000 };
const TOKEN = 'hidden-token-of-a-reader';
const OTHER = 'hidden-token-of-another';
const today = () => new Date().toISOString().slice(0, 10);

const SETTINGS = `
admin: { listen: 127.0.0.1:0, tokens: [{ id: r, token: ${TOKEN}, scopes: [read] }, { id: k, token: ${OTHER}, scopes: [keys] }] }
teams: { search: { customers: { tier: any } }, ads: {} }
tiers: { any: { requests_per_second: 1000 } }
keys: [{ id: s1, key: sk-s1, team: search }, { id: a1, key: sk-a1, team: ads }]
`;

async function start() {
  const path = join(await tempDir(), 'ledger.db');
  const running = await startWithSimulator(`ledger: { path: ${path} }\n${SETTINGS}`);
  const call = async (key: string, customer?: string) => {
    const headers = { authorization: `Bearer ${key}`, ...(customer && { 'x-nexus-customer': customer }) };
    const answer = await running.chat({}, headers);
    expect(answer.status).toBe(200);
    return answer.text();
  };
  const config = join(await tempDir(), 'config.yaml');
  writeFileSync(config, `target_url: http://127.0.0.1:9\nledger: { path: ${path} }\n${SETTINGS}`);
  const admin = async (query: string, token = TOKEN) => {
    const headers = { authorization: `Bearer ${token}` };
    return fetch(`${running.gateway.adminUrl}/admin/v1/usage${query}`, { headers });
  };
  return { running, call, config, admin };
}

describe('reports of a running gateway', () => {
  it('say the same by the admin API and by `nexus usage`', async () => {
    const { call, config, admin } = await start();
    await Promise.all([call('sk-s1', 'acme'), call('sk-s1', '=cmd()'), call('sk-a1')]);
    const report = await until(async () => {
      const answer = await admin('?by=team,customer');
      const json = JSON.parse(await answer.text());
      return json.total.requests === 3 && json;
    }, PATIENT);
    expect(
      report.rows.map(({ team, customer, requests }: Record<string, unknown>) => [team, customer, requests]),
    ).toEqual([
      ['ads', null, 1],
      ['search', '=cmd()', 1],
      ['search', 'acme', 1],
    ]);
    expect(report.groups).toMatchObject([{ team: 'ads' }, { team: 'search', requests: 2 }]);
    const command = await nexus('usage', '--config', config, '--by', 'team,customer', '--json');
    expect(command).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(command.stdout)).toEqual(report);
    const csv = await nexus('usage', '--config', config, '--by', 'team,customer', '--format', 'csv');
    expect(csv.stdout.split('\r\n')[2]).toMatch(/^search,"'=cmd\(\)",1,/);
    expect(await (await admin('?by=team,customer&format=csv')).text()).toBe(csv.stdout);
    const table = await nexus('usage', '--config', config);
    expect(table.stdout).toContain('Usage from ');
    expect(table.stdout).toMatch(/^search +2 /m);
  });

  it('are for those who may read, and say what is wrong with a question', async () => {
    const { admin } = await start();
    expect((await admin('', OTHER)).status).toBe(403);
    expect((await admin('', 'nobody')).status).toBe(401);
    for (const query of [
      '?by=nothing',
      '?by=team,team',
      '?since=yesterday',
      '?month=2026-13',
      '?format=xml',
      '?since=2026-02-01&until=2026-01-01',
      '?month=2026-01&since=2026-01-01',
      '?since=0001-01-01&until=9999-12-31',
    ]) {
      const answer = await admin(query);
      expect(answer.status, query).toBe(400);
      expect(answer.headers.get('content-type'), query).toContain('application/problem+json');
    }
  });

  it('answer 404 where there is no ledger', async () => {
    const running = await startWithSimulator(SETTINGS);
    const headers = { authorization: `Bearer ${TOKEN}` };
    const answer = await fetch(`${running.gateway.adminUrl}/admin/v1/usage`, { headers });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ detail: expect.stringContaining('There is no ledger') });
  });
});

describe('nexus usage', () => {
  async function configured(text: string): Promise<string> {
    const config = join(await tempDir(), 'config.yaml');
    writeFileSync(config, `target_url: http://127.0.0.1:9\n${text}\n`);
    return config;
  }

  it('helps, and says what is wrong with its command line', async () => {
    const config = await configured('ledger: {}');
    expect(await nexus('usage', '-help')).toMatchObject({ code: 0, stdout: expect.stringContaining('--by') });
    for (const args of [['--by', 'x'], ['--nothing']]) {
      const { code, stderr } = await nexus('usage', '--config', config, ...args);
      expect(code, args.join(' ')).toBe(2);
      expect(stderr, args.join(' ')).toMatch(/^nexus usage: /);
    }
  }, 60_000);

  it('says that there is no ledger, or none yet, and makes none', async () => {
    expect(await nexus('usage', '--config', await configured(''))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('has no ledger'),
    });
    const config = await configured('ledger: {}');
    for (const _ of [1, 2])
      expect(await nexus('usage', '--config', config)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/the ledger can't be read: .*nexus\.db isn't there/),
      });
  });

  it('tells nobody the password of a database that it can’t reach', async () => {
    const config = await configured(
      'ledger: { postgres_url: "postgres://nexus:hidden-canary@127.0.0.1:9/nexus" }',
    );
    const { code, stdout, stderr } = await nexus('usage', '--config', config);
    expect(code).toBe(1);
    expect(stderr).toContain('ECONNREFUSED');
    expect(stdout + stderr).not.toContain('hidden-canary');
  });

  it('is of the month so far, by team, unless it is told otherwise', async () => {
    const before = today();
    const { call, config } = await start();
    await call('sk-a1');
    const report = await until(async () => {
      const { stdout } = await nexus('usage', '--config', config, '--json');
      const json = stdout === '' ? undefined : JSON.parse(stdout);
      return json?.total.requests === 1 && json;
    }, PATIENT);
    expect(report.since).toMatch(/-01$/);
    expect([before, today()]).toContain(report.until);
    expect(report.by).toEqual(['team']);
  });
});
