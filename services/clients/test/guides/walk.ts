/** Does what a guide says, in a folder of its own, as its reader would. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type StartedProcess, startProcess, tempDir, until } from '@nexus/testkit';
import { startRedis } from '@nexus/testkit/redis-server';
import { expect } from 'vitest';
import { type Guide, isAsShown, onlyLooks, readGuide, type Step } from './guide.ts';

const MAIN = fileURLToPath(new URL('../../../gateway/src/main.ts', import.meta.url));

/** The addresses that guides name; what runs here has free ports instead. */
const OTHERS = /127\.0\.0\.1:(99\d\d)\b/g;
const GATEWAY = '127.0.0.1:8080';
const ADMIN = '127.0.0.1:9090';

/** Behind the configuration of several instances: none decides alone because the machine stalls. */
const STALLS = 'redis: { command_timeout: 2s }\n';

/** For what a stalled machine may need. */
const PATIENT = { withinMs: 20_000, everyMs: 200 } as const;

interface Instance {
  readonly process: StartedProcess;
  readonly host: string;
  readonly adminHost: string | undefined;
}

/** What a command ended with, and what stood on the screen. */
interface Outcome {
  readonly code: number;
  readonly printed: string;
}

/**
 * Follows a guide from its first step to its last; `instances` more than one share a Redis, and each connection goes to the next of them.
 * Everything it starts ends with the test.
 */
export async function walk(name: string, instances = 1): Promise<void> {
  const guide = readGuide(name);
  const walker = new Walker(guide, await tempDir(), instances);
  await walker.prepare();
  for (const step of guide.steps) await walker.take(step);
}

class Walker {
  readonly #guide: Guide;
  readonly #home: string;
  readonly #count: number;
  #env: Readonly<Record<string, string | undefined>> = {};
  /** Stand-ins and receivers of alerts that run, by the ports that the guide gives them. */
  readonly #others = new Map<string, string>();
  #receiverPort = '';
  #gateway = GATEWAY;
  #instances: readonly Instance[] = [];

  constructor(guide: Guide, home: string, count: number) {
    this.#guide = guide;
    this.#home = home;
    this.#count = count;
  }

  /** A home and a checkout, whose `nexus` is that of this one without its set-up. */
  async prepare(): Promise<void> {
    const checkout = join(this.#home, 'checkout');
    await mkdir(checkout);
    await writeFile(join(checkout, 'nexus'), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
    await chmod(join(checkout, 'nexus'), 0o755);
    const redis = this.#count > 1 ? await startRedis() : undefined;
    redis?.client.disconnect();
    const shared = redis ? { NEXUS_REDIS_URL: redis.url } : {};
    this.#env = { HOME: this.#home, NODE_OPTIONS: undefined, CONFIG_PATH: undefined, ...shared };
  }

  async take(step: Step): Promise<void> {
    if (step.kind === 'run') await this.#run(step);
    else if (step.kind === 'file') await this.#save(step);
    else if (step.what === 'stand-in') {
      const port = /--port (\d+)/.exec(step.shell)?.[1] ?? '';
      const shell = step.shell.replace(`--port ${port}`, '--port 0');
      const started = await this.#start(shell, /listens on http:\/\/([^\s,]+)/);
      this.#others.set(port, started.url ?? '');
    } else if (step.what === 'receiver') {
      const started = await this.#start(step.shell, /^Alerts come to http:\/\/(\S+)/);
      this.#others.set(this.#receiverPort, started.url ?? '');
    } else await this.#serve(step.shell);
  }

  async #save({ name, text }: Step & { kind: 'file' }): Promise<void> {
    const receiverPort = /\.listen\((\d+)/.exec(text)?.[1];
    if (receiverPort !== undefined) this.#receiverPort = receiverPort;
    const here = this.#here(text)
      .replace(/\.listen\(\d+/, '.listen(0')
      .replace(/^listen_port: 8080\b/m, 'listen_port: 0')
      .replace(ADMIN, '127.0.0.1:0')
      .concat(this.#count > 1 && text.includes('listen_port') ? STALLS : '');
    // Saved as a reader's editor would, in the folder in which a terminal begins.
    const { printed } = await this.#shell('pwd');
    await writeFile(join(printed.trim(), name), here);
  }

  async #serve(shell: string): Promise<void> {
    const started: Instance[] = [];
    for (let i = 0; i < this.#count; i++) {
      const process = await this.#start(shell, /Nexus listens on {3}http:\/\/(\S+)/);
      const { url: host = '' } = process;
      await until(() => process.stderr.some((line) => line.includes('Try it')), PATIENT);
      const adminHost = process.stderr
        .map((line) => /^ {2}admin +http:\/\/(\S+)/.exec(line)?.[1])
        .find((found) => found !== undefined);
      started.push({ process, host, adminHost });
    }
    this.#instances = started;
    this.#gateway = await balance(started.map(({ host }) => host));
  }

  async #run({ shell, prints }: Step & { kind: 'run' }): Promise<void> {
    const looks = onlyLooks(shell);
    // Instances take a changed file or key over one by one.
    const everywhere =
      looks && (shell.includes(ADMIN) || shell.startsWith('opens'))
        ? this.#instances
        : this.#instances.slice(0, 1);
    for (const instance of everywhere.length > 0 ? everywhere : [undefined]) {
      const shown = prints === undefined ? undefined : this.#here(prints, instance);
      const isRight = ({ code, printed }: Outcome) =>
        code === 0 && (shown === undefined || isAsShown(printed, shown));
      const gateway = looks && instance ? instance.host : this.#gateway;
      const take = () => this.#shell(this.#here(shell, instance), gateway);
      let outcome = await take();
      const rightNow = async () => {
        outcome = await take();
        return isRight(outcome);
      };
      if (looks && !isRight(outcome)) await until(rightNow, PATIENT).catch(() => undefined);
      if (!isRight(outcome)) expect(outcome, shell).toEqual({ code: 0, printed: shown });
    }
  }

  #here(text: string, instance = this.#instances[0], gateway = this.#gateway): string {
    return text
      .replaceAll(OTHERS, (address, port) => this.#others.get(port) ?? address)
      .replaceAll(GATEWAY, gateway)
      .replaceAll(ADMIN, instance?.adminHost ?? ADMIN);
  }

  #start(shell: string, readyWhen: RegExp): Promise<StartedProcess> {
    return startProcess({
      command: 'sh',
      args: ['-ec', `${this.#guide.terminal}\n${shell}`],
      cwd: join(this.#home, 'checkout'),
      env: this.#env,
      readyWhen,
      readyWithinMs: 60_000,
    });
  }

  /** A new terminal, in the checkout. */
  #shell(command: string, gateway = this.#gateway): Promise<Outcome> {
    const cwd = join(this.#home, 'checkout');
    const env = Object.fromEntries(
      Object.entries({ ...process.env, ...this.#env }).filter(([, value]) => value !== undefined),
    );
    const args = ['-c', `${this.#here(this.#guide.terminal, undefined, gateway)}\n${command}`];
    return new Promise((resolve) => {
      execFile('sh', args, { cwd, env, timeout: 60_000 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, printed: stdout + stderr });
      });
    });
  }
}

/** A port whose connections go to these hosts in turn; one host stands for itself. Ends with the process: nothing keeps it alive. */
async function balance(hosts: readonly string[]): Promise<string> {
  const [first = ''] = hosts;
  if (hosts.length === 1) return first;
  let turn = 0;
  const server = createServer((client) => {
    const port = Number(hosts[turn++ % hosts.length]?.split(':')[1]);
    const upstream: Socket = connect(port, '127.0.0.1');
    client.pipe(upstream).pipe(client);
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  });
  server.unref();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The balancer has no port.');
  return `127.0.0.1:${address.port}`;
}
