import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  type Config,
  type ConfigProblem,
  ConfigProblems,
  type IssuedKeySource,
  type LoadedConfig,
  type Principals,
} from '@nexus/config';
import type { Log } from '@nexus/observe';
import { TrustedProxies } from '../path/client-address.ts';

/** What /health says of the configuration. */
export interface ConfigState {
  /** `refused`: the file has changed, the new one has problems, and the one before it holds. */
  readonly status: 'ok' | 'refused';
  /** Changes taken over since the start. */
  readonly changes: number;
  /** Settings of the new file that hold only after a restart. */
  readonly needs_restart: readonly string[];
}

/** How often the file is looked at. It is read, not only looked up: its times tell little where it is mounted or linked. */
const LOOK_EVERY_MS = 1_000;

/** More problems than anyone reads. */
const MOST_SAID = 20;

/** Settings that are built into sockets and connections, and how they are told apart. */
const FIXED: readonly (readonly [name: string, of: (config: Config) => unknown])[] = [
  ['listen_host', ({ listenHost }) => listenHost],
  ['listen_port', ({ listenPort }) => listenPort],
  ['target_url', ({ target }) => target],
  ['upstreams', ({ upstreams }) => upstreams.map((entry) => [entry, entry.keys])],
  ['log_level', ({ logLevel }) => logLevel],
  ['tls', ({ tls }) => [tls?.certPem, tls?.keyPem]],
  ['redis', ({ redis }) => [redis?.reach, redis?.keyPrefix]],
  ['on_redis_failure', ({ onRedisFailure }) => onRedisFailure],
  ['max_wait', ({ maxWaitMs }) => maxWaitMs],
  ['on_disconnect', ({ onDisconnect }) => onDisconnect],
  ['ask_usage', ({ askUsage }) => askUsage],
  ['timeouts', ({ timeouts }) => timeouts],
  ['ledger', ({ ledger }) => [ledger?.path, ledger?.postgresUrl, ledger?.keepMs, ledger?.queue]],
  ['admin.listen', ({ admin }) => admin],
];

/**
 * The configuration that holds now. A changed file is taken over while requests go on, each request with the configuration that it
 * finds; buckets keep what they have used. A file with problems changes nothing.
 */
export class LiveConfig {
  readonly #log: Log;
  readonly #first: Config;
  readonly #reload: () => LoadedConfig;
  readonly #issued: IssuedKeySource;
  readonly #path: string;
  #loaded: LoadedConfig;
  #principals: Principals;
  #proxies: TrustedProxies;
  /** Digests of the file as it was last looked at, and as it was last taken or refused. */
  #seen: string | undefined;
  #taken: string | undefined;
  #state: ConfigState = { status: 'ok', changes: 0, needs_restart: [] };
  #timer: NodeJS.Timeout | undefined;

  /** @param issued the keys that Nexus issued: they are known whatever configuration holds */
  constructor(loaded: LoadedConfig, reload: () => LoadedConfig, log: Log, issued: IssuedKeySource) {
    this.#loaded = loaded;
    this.#first = loaded.config;
    this.#path = loaded.path;
    this.#issued = issued;
    this.#principals = loaded.principals.with(issued);
    this.#proxies = new TrustedProxies(loaded.config.trustedProxies);
    this.#reload = reload;
    this.#log = log;
  }

  get config(): Config {
    return this.#loaded.config;
  }

  get principals(): Principals {
    return this.#principals;
  }

  get proxies(): TrustedProxies {
    return this.#proxies;
  }

  get state(): ConfigState {
    return this.#state;
  }

  /** Looks at the file from now on, every second. */
  async watch(): Promise<void> {
    this.#taken = await this.#read();
    this.#seen = this.#taken;
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS).unref();
  }

  /**
   * Takes the file over if it has changed and then stayed as it is from one look to the next: a file that is being written may be
   * right as far as it goes, and lack its keys.
   */
  async look(): Promise<void> {
    const digest = await this.#read();
    const isSettled = digest === this.#seen;
    this.#seen = digest;
    if (!isSettled || digest === this.#taken) return;
    this.#taken = digest;
    this.takeOver();
  }

  /** Reads everything anew, the files that it names too, and takes it over if it is right. */
  takeOver(): void {
    try {
      this.#apply(this.#reload());
    } catch (error) {
      if (error instanceof ConfigProblems) this.#refuse(error.problems.map(said));
      else this.#refuse([String(error)]);
    }
  }

  #refuse(problems: readonly string[]): void {
    this.#state = { ...this.#state, status: 'refused' };
    const shown = problems.slice(0, MOST_SAID).join('\n');
    this.#log.error('configuration refused', { problems: shown, count: problems.length });
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #apply(loaded: LoadedConfig): void {
    const changed = FIXED.filter(
      ([, of]) => JSON.stringify(of(loaded.config)) !== JSON.stringify(of(this.#first)),
    );
    const needsRestart = changed.map(([name]) => name);
    this.#loaded = loaded;
    this.#principals = loaded.principals.with(this.#issued);
    this.#proxies = new TrustedProxies(loaded.config.trustedProxies);
    this.#state = { status: 'ok', changes: this.#state.changes + 1, needs_restart: needsRestart };
    this.#log.info('configuration changed', {
      keys: loaded.config.keys.length,
      teams: loaded.config.teams.size,
    });
    if (needsRestart.length > 0)
      this.#log.warn('settings need a restart', { settings: needsRestart.join(', ') });
  }

  async #read(): Promise<string | undefined> {
    try {
      return createHash('sha256')
        .update(await readFile(this.#path))
        .digest('hex');
    } catch {
      return undefined;
    }
  }
}

function said({ file, line, wrong, remedy }: ConfigProblem): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${wrong}; ${remedy}`;
}
