import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const run = promisify(execFile);
const path = (file: string) => fileURLToPath(new URL(`../../../${file}`, import.meta.url));
const read = (file: string) => readFileSync(path(file), 'utf8');
const compose = read('docker-compose.yml');

/** The lines of a service. */
function service(name: string): string {
  const from = compose.indexOf(`\n  ${name}:\n`);
  expect(from, name).toBeGreaterThan(0);
  const rest = compose.slice(from + 1);
  const end = rest.slice(1).search(/\n {2}\S|\n\S/);
  return end < 0 ? rest : rest.slice(0, end + 1);
}

const seconds = (text: string, setting: RegExp) => Number(setting.exec(text)?.[1]);

describe('docker-compose.yml', () => {
  it('publishes the ports of nginx, Prometheus and Grafana, and those to this machine alone', () => {
    const published = [...compose.matchAll(/^\s*- "([^"]*:\d+)"$/gm)].map(([, port]) => port);
    expect(compose.match(/^\s*ports:/gm)).toHaveLength(3);
    expect(published).toEqual([
      `\${NEXUS_BIND:-127.0.0.1}:\${NEXUS_PORT:-443}:443`,
      `127.0.0.1:\${NEXUS_PROMETHEUS_PORT:-9090}:9090`,
      `127.0.0.1:\${NEXUS_GRAFANA_PORT:-3000}:3000`,
    ]);
  });

  it('lets nobody into Grafana without a password of its own', () => {
    const grafana = service('grafana');
    expect(grafana).toContain('GF_SECURITY_ADMIN_PASSWORD__FILE: /run/grafana-password/password');
    expect(grafana).toContain('GF_AUTH_ANONYMOUS_ENABLED: "false"');
    expect(grafana).toContain('networks: [seen]');
    expect(service('grafana-password')).toContain('randomBytes(18)');
  });

  it('has Prometheus read the gateways where they listen for it, on a network without Redis', () => {
    const listen = /^admin: \{ listen: 0\.0\.0\.0:(\d+) \}/m.exec(read('deploy/compose/config.yaml'))?.[1];
    const scrape = read('deploy/prometheus/prometheus.yml');
    expect(/^ {8}port: (\d+)/m.exec(scrape)?.[1]).toBe(listen);
    expect(scrape).toContain('names: [gateway]');
    expect(service('prometheus')).toContain('networks: [edge, seen]');
  });

  it('gives the gateways a configuration that is good, with the Redis of the stack and limits that both know', async () => {
    const config = parse(read('deploy/compose/config.yaml'));
    expect(config.redis_url).toBe('redis://redis:6379');
    expect(compose).toContain('./deploy/compose/config.yaml:/app/config.yaml:ro');
    // deploy/smoke.sh expects these.
    expect(config.limits).toMatchObject({ requests_per_second: 10, burst: 20 });
    expect(read('deploy/smoke.sh')).toContain('10 requests a second for each key, 20 at once');
    const env = { ...process.env, CONFIG_PATH: path('deploy/compose/config.yaml') };
    const { stdout } = await run(process.execPath, [path('services/gateway/src/main.ts'), 'check'], { env });
    expect(stdout).toContain('is good');
  });

  it('gives up on a gateway that vanished within half a minute', () => {
    // Each repetition comes after twice the time, the first after 0.2 s (RFC 6298, and Linux' least RTO).
    const { 'net.ipv4.tcp_retries2': repetitions } = parse(compose).services.nginx.sysctls;
    expect(0.2 * (2 ** (repetitions + 1) - 1)).toBeLessThan(30);
  });

  it('has, beside the stack, one container that starts with the configuration of the checkout', () => {
    const [, yaml = ''] =
      /\*\*One container\.\*\*[\s\S]*?```yaml\n([\s\S]*?)```/.exec(read('docs/compose.md')) ?? [];
    const { image, ports, volumes, environment } = parse(yaml).services.nexus;
    const { listen_port: port } = parse(read('config.yaml'));
    const [, inside] = /^\.\/config\.yaml:(.+)$/.exec(volumes[0]) ?? [];
    const dockerfile = read('deploy/Dockerfile');
    expect(dockerfile).toContain(`docker build -t ${image} -f deploy/Dockerfile .`);
    expect(dockerfile).toMatch(new RegExp(`^EXPOSE ${port}$`, 'm'));
    expect(dockerfile).toContain(`CONFIG_PATH=${inside}`);
    expect(environment).toEqual([`CONFIG_PATH=${inside}`]);
    expect(ports).toEqual([`127.0.0.1:${port}:${port}`]);
  });

  it('keeps Redis on a network with no way in or out, evicts nothing and writes to disk', () => {
    expect(service('redis')).toContain('networks: [state]');
    expect(compose).toMatch(/\n {2}state:\n {4}internal: true\n/);
    expect(service('redis')).toContain('--maxmemory-policy noeviction');
    expect(service('redis')).toContain('--appendonly yes --appendfsync everysec');
    expect(service('redis')).not.toContain('ports:');
  });

  it('gives nginx and the gateways longer to stop than they take to drain', () => {
    const workers = seconds(read('nginx/nginx.conf'), /worker_shutdown_timeout (\d+)s;/);
    expect(seconds(service('nginx'), /stop_grace_period: (\d+)s/)).toBeGreaterThan(workers);
    const schema = JSON.parse(read('docs/config.schema.json'));
    const drain = seconds(schema.properties.timeouts.properties.drain.default, /^(\d+)s$/);
    expect(seconds(service('gateway'), /stop_grace_period: (\d+)s/)).toBeGreaterThan(drain);
    expect(workers).toBeGreaterThan(drain);
  });

  it('runs three gateways that can write nowhere and have no rights', () => {
    expect(service('gateway')).toContain('replicas: 3');
    expect(service('gateway')).toContain('*confined');
    expect(compose).toMatch(/x-confined: &confined\n {2}read_only: true\n {2}cap_drop: \[ALL\]\n/);
  });
});
