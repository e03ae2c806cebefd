import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, type StartedProcess, selfSignedCert, startProcess } from '@nexus/testkit';
import { serverProgram } from './server-programs.ts';

/** nginx with the product's configuration, in front of instances on this machine. */
export interface RunningEdge extends AsyncDisposable {
  readonly port: number;
  /** `https://127.0.0.1:port` */
  readonly url: string;
  /** What nginx wrote about requests, oldest first. */
  readonly accessLog: () => Record<string, unknown>[];
  /** What nginx wrote about itself. */
  readonly errorLog: () => readonly string[];
  readonly close: () => Promise<void>;
}

const CONFIGURATION = fileURLToPath(new URL('../../../nginx', import.meta.url));

export const nginx = await serverProgram('nginx');

/** For `describe.skipIf(nginx.missing)`: whatever needs nginx says so in the same way. */
export const NEEDS_NGINX = nginx.missing === undefined ? '' : ` (skipped: ${nginx.missing})`;

/**
 * Starts nginx with nginx/nginx.conf as it stands, but for its log folder, its two include files and `changes`: texts of it, each
 * with what stands in its place. Throws if one isn't there.
 */
export async function startEdge(
  instances: readonly number[],
  changes: Readonly<Record<string, string>> = {},
): Promise<RunningEdge> {
  if (nginx.missing !== undefined) throw new Error(nginx.missing);
  const folder = await mkdtemp(join(tmpdir(), 'nexus-edge-'));
  // nginx' workers may run as another user.
  chmodSync(folder, 0o755);
  cpSync(CONFIGURATION, folder, { recursive: true });
  const port = await freePort();
  const { cert, key } = selfSignedCert();
  writeFileSync(join(folder, 'tls.crt'), cert);
  writeFileSync(join(folder, 'tls.key'), key);
  mkdirSync(join(folder, 'log'));
  const changed = (file: string, all: Readonly<Record<string, string>>) => {
    let text = readFileSync(join(CONFIGURATION, file), 'utf8');
    for (const [from, to] of Object.entries(all)) {
      if (!text.includes(from)) throw new Error(`${file} has no "${from}".`);
      text = text.replaceAll(from, to);
    }
    writeFileSync(join(folder, file), text);
  };
  const inInstances = Object.entries(changes).filter(([from]) => from.startsWith('keepalive_timeout 60s'));
  const inMain = Object.entries(changes).filter(([from]) => !from.startsWith('keepalive_timeout 60s'));
  changed('nginx.conf', {
    'error_log /var/log/nginx/error.log warn': 'error_log stderr notice',
    '/var/log/nginx': join(folder, 'log'),
    ...Object.fromEntries(inMain),
  });
  const servers = instances.map((instance) => `server 127.0.0.1:${instance} max_fails=0;`).join('\n');
  changed('nexus/instances.conf', {
    'server 127.0.0.1:8081 max_fails=0;': servers,
    'server 127.0.0.1:8082 max_fails=0;': '',
    'server 127.0.0.1:8083 max_fails=0;': '',
    ...Object.fromEntries(inInstances),
  });
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const temporary = kinds.map((kind) => `${kind}_temp_path ${join(folder, kind)};`).join('\n');
  writeFileSync(
    join(folder, 'nexus/instances.conf'),
    `${readFileSync(join(folder, 'nexus/instances.conf'), 'utf8')}\n${temporary}\n`,
  );
  changed('nexus/listen.conf', {
    'listen 443 ssl http2': `listen 127.0.0.1:${port} ssl http2`,
    'listen [::]:443 ssl http2;': '',
    '/etc/nginx/tls/nexus': join(folder, 'tls'),
  });
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const process_ = await startProcess({
    command: nginx.path,
    args: [
      ...['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'],
      ...['-g', `daemon off; pid ${join(folder, 'nginx.pid')}; ${user}`],
    ],
    readyWhen: /start worker process/,
  });
  const close = async () => {
    await process_.stop('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  };
  return {
    port,
    url: `https://127.0.0.1:${port}`,
    accessLog: () =>
      readFileSync(join(folder, 'log/access.log'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
    errorLog: () => process_.stderr,
    close,
    [Symbol.asyncDispose]: close,
  };
}

const MAIN = fileURLToPath(new URL('../../gateway/src/main.ts', import.meta.url));

/** A gateway in a process of its own. */
export interface RunningGateway extends StartedProcess {
  readonly port: number;
  /** Lines of its log about requests. */
  readonly requestLog: () => Record<string, unknown>[];
}

/** Starts a gateway on a port of 127.0.0.1 (default: a free one), which believes nginx about the client's address. */
export async function startGateway(
  upstreamUrl: string,
  options: { readonly port?: number; readonly settings?: string } = {},
): Promise<RunningGateway> {
  const port = options.port ?? (await freePort());
  const folder = await mkdtemp(join(tmpdir(), 'nexus-gateway-'));
  const file = join(folder, 'config.yaml');
  const settings = [
    `listen_port: ${port}`,
    'listen_host: 127.0.0.1',
    `target_url: ${upstreamUrl}`,
    'trusted_proxies: [127.0.0.1]',
    options.settings ?? '',
  ];
  writeFileSync(file, `${settings.join('\n')}\n`);
  const started = await startProcess({
    command: process.execPath,
    args: [MAIN, '--config', file],
    env: { NODE_OPTIONS: undefined },
    readyWhen: /"message":"listening"/,
  });
  await rm(folder, { recursive: true });
  return {
    ...started,
    port,
    requestLog: () =>
      started.stdout.filter((line) => line.includes('"request_id"')).map((line) => JSON.parse(line)),
    [Symbol.asyncDispose]: started[Symbol.asyncDispose],
  };
}
