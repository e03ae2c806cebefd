import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type SimulatorOptions, startSimulator } from '@nexus/simulator';
import { startProcess, tempDir, until } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startGateway } from './running-edge.ts';
import { type ServerProgram, serverProgram } from './server-programs.ts';

const prometheus = await serverProgram('prometheus');
const promtool = await serverProgram('promtool');
const DEPLOY = fileURLToPath(new URL('../../../deploy', import.meta.url));
const KEYS = `teams: { search: { limits: { requests_per_day: 3 } } }
keys: [{ id: search-prod, key: sk-test-key, team: search }]`;

function why({ missing }: ServerProgram): string {
  return missing === undefined ? '' : ` (skipped: ${missing})`;
}

/** What promtool says; rejects if it finds fault. */
async function check(args: readonly string[], input = ''): Promise<string> {
  if (promtool.missing !== undefined) throw new Error(promtool.missing);
  const cwd = join(DEPLOY, 'prometheus');
  const running = promisify(execFile)(promtool.path, [...args], { cwd, timeout: 50_000 });
  running.child.stdin?.end(input);
  const { stdout, stderr } = await running;
  return stdout + stderr;
}

/** A gateway with its admin address, in front of a stand-in upstream. */
async function observed(options: SimulatorOptions = {}) {
  const simulator = await startSimulator(options);
  onTestFinished(() => simulator.close());
  const settings = `${KEYS}\nadmin: { listen: "127.0.0.1:0" }`;
  const gateway = await startGateway(simulator.url, { settings });
  onTestFinished(() => gateway[Symbol.asyncDispose]());
  const adminPort = await until(
    () => /admin +http:\/\/127\.0\.0\.1:(\d+)/.exec(gateway.stderr.join('\n'))?.[1],
    {
      withinMs: 20_000,
    },
  );
  const page = async () => (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  const chat = async (more: Record<string, unknown> = {}) => {
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk-test-key', 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }], ...more }),
    });
    await answer.text();
    return answer.status;
  };
  return { adminPort, page, chat };
}

/** A real Prometheus with the product's rules, which reads these ports. */
async function startPrometheus(ports: readonly string[]) {
  if (prometheus.missing !== undefined) throw new Error(prometheus.missing);
  const folder = await tempDir();
  const config = readFileSync(join(DEPLOY, 'prometheus/prometheus.yml'), 'utf8');
  const discovery = config.indexOf('    dns_sd_configs:');
  if (discovery < 0) throw new Error('prometheus.yml has no dns_sd_configs.');
  const targets = ports.map((port) => `"127.0.0.1:${port}"`).join(', ');
  const changed = `${config.slice(0, discovery)}    static_configs: [{ targets: [${targets}] }]\n`
    .replaceAll('_interval: 15s', '_interval: 1s')
    .replace('alerts.yml', join(DEPLOY, 'prometheus/alerts.yml'));
  writeFileSync(join(folder, 'prometheus.yml'), changed);
  const program = await startProcess({
    command: prometheus.path,
    args: [
      ...[`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`],
      '--web.listen-address=127.0.0.1:0',
    ],
    readyWhen: /Server is ready to receive web requests/,
    readyWithinMs: 20_000,
  });
  onTestFinished(() => program[Symbol.asyncDispose]());
  const port = /msg="Listening on" address=127\.0\.0\.1:(\d+)/.exec(program.stderr.join('\n'))?.[1];
  const get = async (path: string): Promise<unknown> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    const body: unknown = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(body)}`);
    return typeof body === 'object' && body !== null ? Reflect.get(body, 'data') : undefined;
  };
  return {
    /** The series that a query gives, as labels → value. */
    query: (query: string) => get(`/api/v1/query?query=${encodeURIComponent(query)}`),
    get,
  };
}

/** Every query of the dashboard, as it is when a person has chosen nothing. */
function dashboardQueries(): readonly string[] {
  const dashboard: unknown = JSON.parse(readFileSync(join(DEPLOY, 'grafana/dashboards/nexus.json'), 'utf8'));
  const found: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const expression: unknown = Reflect.get(value, 'expr');
    if (typeof expression === 'string') found.push(expression);
    for (const inner of Object.values(value)) walk(inner);
  };
  walk(dashboard);
  return found.map((query) => query.replaceAll('$__rate_interval', '1m').replaceAll('$team', '.*'));
}

/** The expressions of the alerts. */
function alertExpressions(alerts: string): readonly string[] {
  return [...alerts.matchAll(/^ {8}expr: ([\s\S]*?)(?=^ {8}\w)/gm)].map(([, text]) => text ?? '');
}

/** The names of metrics in a query or rule. */
function metricNames(text: string): readonly string[] {
  return [...text.matchAll(/\b(?:nexus|gen_ai|process|nodejs)_[a-z0-9_]+\b(?!\s*[=!]~?")/g)].map(
    ([name]) => name,
  );
}

/** The names of the series that a page has. */
function seriesNames(page: string): ReadonlySet<string> {
  return new Set(
    [...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
}

describe('deploy/prometheus', () => {
  const alerts = readFileSync(join(DEPLOY, 'prometheus/alerts.yml'), 'utf8');
  const names = [...alerts.matchAll(/^ {6}- alert: (\w+)$/gm)].map(([, name]) => name ?? '');

  it('tells for every alert what it is and what to do', () => {
    expect(names.length).toBeGreaterThan(6);
    const rules = alerts.split(/^ {6}- alert: /m).slice(1);
    for (const rule of rules) {
      expect(rule).toMatch(/\n {10}summary: .{20,}/);
      expect(rule).toMatch(/\n {10}description: >-\n {12}.{40,}/);
      expect(rule).toMatch(/\n {8}labels: \{ severity: (?:critical|warning) \}/);
    }
  });

  it('has a story for every alert, and one in which none of them stirs', () => {
    const stories = readFileSync(join(DEPLOY, 'prometheus/alerts.test.yml'), 'utf8');
    for (const name of names)
      expect(stories, name).toContain(`ALERTS{alertname="${name}",alertstate="firing"`);
    expect(stories).toContain('{ expr: ALERTS, eval_time: 30m, exp_samples: [] }');
  });

  describe.skipIf(promtool.missing !== undefined)(`with promtool${why(promtool)}`, () => {
    it('is a configuration that Prometheus takes', async () => {
      const said = await check(['check', 'config', 'prometheus.yml']);
      expect(said).toContain('is valid prometheus config file syntax');
    });

    it('has rules that call when they should, and not else', { timeout: 60_000 }, async () => {
      expect(await check(['test', 'rules', 'alerts.test.yml'])).toContain('SUCCESS');
    });
  });
});

describe('What a gateway shows', () => {
  it('has every metric that the dashboard and the alerts ask for', { timeout: 60_000 }, async () => {
    const { page } = await observed();
    const known = seriesNames(await page());
    expect(known.size).toBeGreaterThan(40);
    const alerts = alertExpressions(readFileSync(join(DEPLOY, 'prometheus/alerts.yml'), 'utf8'));
    const queries = dashboardQueries();
    expect(alerts.length).toBeGreaterThan(6);
    expect(queries.length).toBeGreaterThan(40);
    for (const text of [...queries, ...alerts])
      for (const name of metricNames(text)) expect([...known], `${name} in ${text}`).toContain(name);
  });

  it.skipIf(promtool.missing !== undefined)(
    `is without fault${why(promtool)}`,
    { timeout: 60_000 },
    async () => {
      const { page, chat } = await observed();
      expect(await chat()).toBe(200);
      const text = await until(
        async () => {
          const shown = await page();
          return shown.includes('outcome="completed"') && shown;
        },
        { withinMs: 20_000, everyMs: 50 },
      );
      // promtool finds fault with some names of prom-client's own.
      const blocks = text.split(/^(?=# HELP )/m).filter((block) => /^# HELP (?:nexus|gen_ai)_/.test(block));
      expect(blocks.length).toBeGreaterThan(30);
      expect(await check(['check', 'metrics'], blocks.join(''))).toBe('');
    },
  );

  it.skipIf(prometheus.missing !== undefined)(
    `is read by a real Prometheus, which answers all that the dashboard asks${why(prometheus)}`,
    { timeout: 120_000 },
    async () => {
      const { adminPort, chat } = await observed();
      const { query, get } = await startPrometheus([adminPort]);
      const statuses = [await chat(), await chat({ stream: true }), await chat(), await chat()];
      expect(statuses).toEqual([200, 200, 200, 429]);

      const answer = await until(
        async () => {
          const data = await query('nexus_requests_total{team="search",outcome="denied"}');
          return JSON.stringify(data).includes('"1"') && data;
        },
        { withinMs: 20_000, everyMs: 200 },
      );
      const instance = `127.0.0.1:${adminPort}`;
      expect(answer).toMatchObject({ result: [{ metric: { job: 'nexus', instance, status: '4xx' } }] });

      // Queries that don't parse are refused; those that do may find nothing yet.
      for (const text of dashboardQueries())
        expect(await query(text), text).toMatchObject({ result: expect.any(Array) });
      const budget = dashboardQueries().find((text) => text.includes('period=~"day|month"')) ?? '';
      const metric = { owner: 'team:search', limit: 'requests_per_day' };
      expect(await query(budget)).toMatchObject({ result: [{ metric, value: [expect.any(Number), '1'] }] });

      // The rules are loaded, and evaluate without an error; the budget is spent.
      const rules = await until(
        async () => {
          const text = JSON.stringify(await get('/api/v1/rules'));
          return !text.includes('"health":"unknown"') && text.includes('"state":"firing"') && text;
        },
        { withinMs: 20_000, everyMs: 200 },
      );
      expect(rules).not.toContain('"health":"err"');
      expect(rules).toContain('team:search has used 100% of requests_per_day.');
    },
  );
});

describe('deploy/grafana', () => {
  it('asks the data source that is provisioned, for every panel and query', () => {
    const source = readFileSync(join(DEPLOY, 'grafana/provisioning/datasources/prometheus.yml'), 'utf8');
    const uid = /^ {4}uid: (\w+)$/m.exec(source)?.[1];
    const text = readFileSync(join(DEPLOY, 'grafana/dashboards/nexus.json'), 'utf8');
    const asked = [...text.matchAll(/"datasource": \{ "type": "prometheus", "uid": "([^"]+)" \}/g)];
    expect(asked.length).toBeGreaterThan(40);
    expect(new Set(asked.map(([, name]) => name))).toEqual(new Set([uid]));
  });

  it('has panels that do not overlap, each with a title and a number of its own', () => {
    const dashboard: { panels: readonly Panel[] } = JSON.parse(
      readFileSync(join(DEPLOY, 'grafana/dashboards/nexus.json'), 'utf8'),
    );
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Map<string, string>();
    for (const { title, gridPos } of panels) {
      expect(title).not.toBe('');
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.get(`${x} ${y}`), title).toBeUndefined();
          taken.set(`${x} ${y}`, title);
        }
    }
  });
});

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}
