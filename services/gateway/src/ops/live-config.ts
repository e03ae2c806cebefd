import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import {
  type Config,
  type ConfigProblem,
  ConfigProblems,
  type IssuedKeySource,
  type LoadedConfig,
  type Principals,
  type SettingChange,
  settingChanges,
} from '@nexus/config';
import type { AuditAction, AuditRecord, AuditView } from '@nexus/keys';
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

/** More problems, or changes, than anyone reads. */
const MOST_SAID = 20;
/** What an audit record holds of them. */
const MOST_KEPT = 100;
const LONGEST_PROBLEM = 500;

/** Settings that are built into sockets and connections, and how they are told apart. */
const FIXED: readonly (readonly [name: string, of: (config: Config) => unknown])[] = [
  ['listen_host', ({ listenHost }) => listenHost],
  ['listen_port', ({ listenPort }) => listenPort],
  ['tls', ({ tls }) => tls !== undefined],
  ['redis', ({ redis }) => [redis?.reach, redis?.keyPrefix]],
  ['on_redis_failure', ({ onRedisFailure }) => onRedisFailure],
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
  readonly #note: (audit: AuditRecord) => Promise<void>;
  #onChange: (config: Config) => void = () => {};
  readonly #path: string;
  #loaded: LoadedConfig;
  #principals: Principals;
  #proxies: TrustedProxies;
  /** Digests of the file as it was last looked at, and as it was last taken or refused. */
  #seen: string | undefined;
  #taken: string | undefined;
  #state: ConfigState = { status: 'ok', changes: 0, needs_restart: [] };
  #timer: NodeJS.Timeout | undefined;
  #noting: Promise<void> = Promise.resolve();

  /**
   * @param issued the keys that Nexus issued: they are known whatever configuration holds
   * @param note keeps an audit record
   */
  constructor(
    loaded: LoadedConfig,
    reload: () => LoadedConfig,
    log: Log,
    issued: IssuedKeySource,
    note: (audit: AuditRecord) => Promise<void>,
  ) {
    this.#note = note;
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

  /**
   * Looks at the file from now on, every second.
   * @param onChange told of every configuration before it holds; what it throws keeps the one before it
   */
  async watch(onChange: (config: Config) => void): Promise<void> {
    this.#onChange = onChange;
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
    this.takeOver('file');
  }

  /**
   * Reads everything anew, the files that it names too, and takes it over if it is right.
   * @param because a `file` that has changed, or a `signal`
   */
  takeOver(because: 'file' | 'signal'): void {
    try {
      this.#apply(this.#reload(), because);
    } catch (error) {
      if (error instanceof ConfigProblems) this.#refuse(error.problems.map(said), because);
      else this.#refuse([String(error)], because);
    }
  }

  #refuse(problems: readonly string[], because: string): void {
    this.#state = { ...this.#state, status: 'refused' };
    const shown = problems.slice(0, MOST_SAID).join('\n');
    this.#log.error('configuration refused', { problems: shown, count: problems.length });
    const kept = problems.slice(0, MOST_SAID).map((problem) => problem.slice(0, LONGEST_PROBLEM));
    this.#audit('configuration refused', because, null, { problems: kept, count: problems.length });
  }

  /** Resolves once what was done is on record. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#noting;
  }

  #apply(loaded: LoadedConfig, because: string): void {
    const differences = settingChanges(this.#loaded.settings, loaded.settings);
    const changed = FIXED.filter(
      ([, of]) => JSON.stringify(of(loaded.config)) !== JSON.stringify(of(this.#first)),
    );
    const needsRestart = changed.map(([name]) => name);
    this.#onChange(loaded.config);
    this.#loaded = loaded;
    this.#principals = loaded.principals.with(this.#issued);
    this.#proxies = new TrustedProxies(loaded.config.trustedProxies);
    this.#state = { status: 'ok', changes: this.#state.changes + 1, needs_restart: needsRestart };
    this.#log.info('configuration changed', {
      keys: loaded.config.keys.length,
      teams: loaded.config.teams.size,
      changed: shownNames(differences),
    });
    if (differences.length > 0)
      this.#audit(
        'configuration changed',
        because,
        viewOf(differences, ({ before }) => before),
        viewOf(differences, ({ after }) => after),
      );
    if (needsRestart.length > 0)
      this.#log.warn('settings need a restart', { settings: needsRestart.join(', ') });
  }

  /** Keeps a record, where somebody may read it: the admin API alone shows them. */
  #audit(action: AuditAction, because: string, before: AuditView | null, after: AuditView): void {
    if (this.config.adminTokens.length === 0) return;
    const by = `${because}:${hostname()}`;
    const audit = { atMs: Date.now(), by, action, subject: 'configuration', before, after };
    this.#noting = this.#noting
      .then(() => this.#note(audit))
      .catch((error: unknown) => this.#log.warn('audit record not kept', { action, error }));
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

function shownNames(changes: readonly SettingChange[]): string {
  const names = changes.slice(0, MOST_SAID).map(({ name }) => name);
  return changes.length > MOST_SAID
    ? `${names.join(', ')} and ${changes.length - MOST_SAID} more`
    : names.join(', ');
}

/** One side of changed settings, by name. */
function viewOf(
  changes: readonly SettingChange[],
  side: (change: SettingChange) => string | number | null,
): AuditView {
  const shown = changes.slice(0, MOST_KEPT).map((change) => [change.name, side(change)] as const);
  const more = changes.length - shown.length;
  return Object.fromEntries(more > 0 ? [...shown, ['(more)', more]] : shown);
}
