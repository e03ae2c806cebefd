import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Call, type Client, type Outcome, parseOutcome } from './client.ts';
import { type PythonEnvironment, pythonOf, pythonVariables, whyNoPython } from './python-environment.ts';

/** Longer than any call takes, and shorter than a test may. */
const PATIENCE_MS = 8_000;

/** A Python process that makes one call after the other: its imports take longer than all of them. */
class Driver {
  readonly #environment: PythonEnvironment;
  readonly #script: string;
  #running: { readonly process: ChildProcess; readonly lines: Interface; stderr: string } | undefined;

  constructor(environment: PythonEnvironment, script: string) {
    this.#environment = environment;
    this.#script = fileURLToPath(new URL(`python/${script}`, import.meta.url));
  }

  async start(): Promise<void> {
    await this.#started();
  }

  async run(operation: string, call: Call, more: object = {}): Promise<Outcome> {
    const running = await this.#started();
    const ended = once(running.process, 'exit').then(() => undefined);
    const answered = once(running.lines, 'line');
    running.process.stdin?.write(`${JSON.stringify({ operation, ...call, ...more })}\n`);
    // A process that hangs in a call would fail all later ones too.
    const patience = setTimeout(() => running.process.kill('SIGKILL'), PATIENCE_MS);
    const answer: unknown[] | undefined = await Promise.race([answered, ended]);
    clearTimeout(patience);
    const line = answer?.[0];
    if (typeof line === 'string') return parseOutcome(line);
    this.#running = undefined;
    throw new Error(`Python did not answer. ${running.stderr}`);
  }

  async close(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined) return;
    const { exitCode, signalCode } = running.process;
    if (exitCode !== null || signalCode !== null) return;
    const ended = once(running.process, 'exit');
    running.process.kill('SIGKILL');
    await ended;
  }

  async #started() {
    if (this.#running) return this.#running;
    const child = spawn(pythonOf(this.#environment), [this.#script], { env: pythonVariables() });
    const running = { process: child, lines: createInterface({ input: child.stdout }), stderr: '' };
    child.stderr.on('data', (chunk: Buffer) => {
      running.stderr += chunk.toString();
    });
    this.#running = running;
    const ended = once(child, 'exit').then(() => {
      throw new Error(`Python ended. ${running.stderr}`);
    });
    ended.catch(() => {});
    // Its first line says that it has read its imports.
    await Promise.race([once(running.lines, 'line'), ended]);
    return running;
  }
}

function uploads(driver: Driver): NonNullable<Client['uploads']> {
  return {
    'files.create': (call, path) => driver.run('upload', call, { path }),
    'audio.transcriptions': (call, path) => driver.run('transcribe', call, { path }),
  };
}

const old = new Driver('openai-0.28.1', 'openai_0_28.py');
const latest = new Driver('openai-latest', 'openai_latest.py');

/** openai-python 0.28.1. It never tries again on a 429. Left to itself it wants NumPy to read an embedding. */
export const python028: Client = {
  name: 'openai-python 0.28.1',
  api: 'chat',
  retrying: 'never',
  asksUsage: 'if told',
  showsRequestId: false,
  missing: whyNoPython('openai-0.28.1'),
  ask: (call) => old.run('ask', call),
  stream: (call) => old.run('stream', call),
  embed: {
    formats: ['float', 'base64'],
    run: (call, format) => old.run('embed', call, { format }),
  },
  uploads: uploads(old),
  start: () => old.start(),
  close: () => old.close(),
};

/** openai-python of today. */
export const pythonLatest: Client = {
  name: 'openai-python 3.54.0',
  api: 'chat',
  retrying: 'as told',
  asksUsage: 'if told',
  missing: whyNoPython('openai-latest'),
  ask: (call) => latest.run('ask', call),
  stream: (call) => latest.run('stream', call),
  embed: {
    formats: ['default', 'float', 'base64'],
    run: (call, format) => latest.run('embed', call, { format }),
  },
  uploads: uploads(latest),
  start: () => latest.start(),
  close: () => latest.close(),
};

/** The same on responses. */
export const pythonLatestResponses: Client = {
  name: 'openai-python 3.54.0, responses',
  api: 'responses',
  retrying: 'as told',
  asksUsage: 'no such thing',
  missing: whyNoPython('openai-latest'),
  ask: (call) => latest.run('ask_responses', call),
  stream: (call) => latest.run('stream_responses', call),
  start: () => latest.start(),
  close: () => latest.close(),
};
