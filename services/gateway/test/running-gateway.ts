import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '@nexus/config';
import { createLog } from '@nexus/observe';
import { type Simulator, type SimulatorOptions, startSimulator } from '@nexus/simulator';
import { tempDir } from '@nexus/testkit';
import { onTestFinished } from 'vitest';
import { type Gateway, startGateway } from '../src/gateway.ts';

/** A line of the log, parsed. */
export type LogLine = Record<string, unknown>;

/** A gateway on a real socket in front of an upstream, ended with its test. */
export interface RunningGateway {
  readonly gateway: Gateway;
  readonly url: string;
  readonly port: number;
  /** Writes the configuration file anew. */
  configure(change: (text: string) => string): void;
  readonly log: LogLine[];
  /** The raw text of the log. */
  readonly logText: () => string;
  /** Posts a chat completion; `body` and `headers` add to an ordinary one. */
  chat(body?: Record<string, unknown>, headers?: Record<string, string>): Promise<Response>;
}

const KEY = 'sk-test-key';

/** Starts a gateway with the YAML `settings` in front of `upstreamUrl`; undefined: the settings say where. */
export async function startInFrontOf(
  upstreamUrl: string | undefined,
  settings = '',
): Promise<RunningGateway> {
  const file = join(await tempDir(), 'config.yaml');
  const target = upstreamUrl === undefined ? '' : `target_url: ${upstreamUrl}\n`;
  writeFileSync(file, `listen_port: 0\nlisten_host: 127.0.0.1\n${target}${settings}\n`);
  const load = (isReload: boolean) => loadConfig({ args: ['--config', file], env: {}, cwd: '/', isReload });
  const lines: string[] = [];
  const log = createLog({ level: 'debug', write: (text: string) => void lines.push(text) });
  const gateway = await startGateway(load(false), log, () => load(true));
  onTestFinished(async () => {
    const ended = gateway.close(0);
    void gateway.close();
    await ended;
  });
  const logText = () => lines.join('');
  return {
    gateway,
    configure: (text) => writeFileSync(file, text(readFileSync(file, 'utf8'))),
    url: gateway.url,
    port: gateway.port,
    logText,
    get log() {
      return logText()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));
    },
    chat: (body = {}, headers = {}) =>
      fetch(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...headers },
        body: JSON.stringify({
          model: 'gpt-4o-mini',
          messages: [{ role: 'user', content: 'Hello' }],
          ...body,
        }),
      }),
  };
}

/** A gateway in front of a stand-in OpenAI. */
export async function startWithSimulator(
  settings = '',
  options: SimulatorOptions = {},
): Promise<RunningGateway & { readonly simulator: Simulator }> {
  const simulator = await startSimulator(options);
  onTestFinished(() => simulator.close());
  return Object.assign(await startInFrontOf(simulator.url, settings), { simulator });
}

/** The lines about requests, once there are `count` of them: they are written after the answer. */
export async function requestLines(running: RunningGateway, count: number): Promise<LogLine[]> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const lines = running.log.filter((line) => 'request_id' in line);
    if (lines.length >= count) return lines;
    if (Date.now() > deadline)
      throw new Error(`${lines.length} of ${count} request lines: ${running.logText()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
