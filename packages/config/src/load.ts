import { dirname, resolve } from 'node:path';
import { readAdminTokens } from './admin-tokens.ts';
import { readAlerts } from './alert-settings.ts';
import type { Config, ModelLimits } from './config.ts';
import { readConfigText, shownPath } from './config-file.ts';
import { ENVIRONMENT, readEnvironment } from './environment-settings.ts';
import { checkFileNames, readFileScalars } from './file-settings.ts';
import { COMMAND_LINE, type Flags, readFlags } from './flags.ts';
import { parseAddress } from './formats.ts';
import { type Environment, variable } from './interpolation.ts';
import { IssuedKeyRules } from './issued-principals.ts';
import { readKeys } from './key-entries.ts';
import { readLedger } from './ledger-settings.ts';
import { isModelPattern, modelMatcher } from './model-pattern.ts';
import { type NamedSettings, namedSettings } from './named-settings.ts';
import { limitSet, ownerLimits, readNamedLimits } from './owner-limits.ts';
import { readPrices } from './price-settings.ts';
import { Principals } from './principals.ts';
import { type Place, ProblemList } from './problems.ts';
import { readOnRedisFailure, readRedis } from './redis-settings.ts';
import { type ScalarValues, settleScalars } from './scalar-settings.ts';
import { checkScalars, type ScalarText } from './scalar-sources.ts';
import { GROUP_LISTS, LIST_SHAPES, MAPPING_FORMS } from './shape.ts';
import { checkShape } from './shape-problems.ts';
import { readTeams } from './teams.ts';
import { readTiers } from './tiers.ts';
import { readTlsFiles } from './tls-files.ts';
import { readUpstreams, targetOf } from './upstreams.ts';
import { type MapTree, parseYaml } from './yaml-tree.ts';

export interface LoadedConfig {
  readonly config: Config;
  /** Who each credential acts for. */
  readonly principals: Principals;
  /** The file as the user would name it. */
  readonly file: string;
  /** The same, absolute. */
  readonly path: string;
  /** The settings of the file, to tell what changes with another. */
  readonly settings: NamedSettings;
}

export interface LoadOptions {
  /** Flags alone: what stands after the program and its command. */
  readonly args: readonly string[];
  readonly env: Environment;
  readonly cwd: string;
  /** For keys that expire; the system's clock if absent. */
  readonly nowMs?: () => number;
  /** The file must be there and hold something: it was there before. */
  readonly isReload?: boolean;
}

/** A file that is being written, or lost what it said. Started with it, Nexus would take the defaults. */
const EMPTIED = { wrong: 'the file has become empty', remedy: 'write its settings' };

/**
 * Reads the configuration: the file that --config or CONFIG_PATH names (default ./config.yaml), over it the
 * environment, over that the flags. Throws ConfigProblems with everything that is wrong with all three.
 */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const problems = new ProblemList();
  const flags = readFlags(options.args, problems);
  const named = flags.config ?? (variable(options.env, 'CONFIG_PATH') || undefined);
  const path = resolve(options.cwd, named ?? 'config.yaml');
  const file = shownPath(path, options.cwd);
  const chosen = named !== undefined || options.isReload === true;
  const text = readConfigText(path, { file, chosen, problems });
  if (options.isReload === true && text?.trim() === '')
    problems.add({ file, line: undefined, column: undefined }, '', EMPTIED);
  const parsed =
    text === undefined ? undefined : parseYaml(text, { file, environment: options.env, problems });
  const tree: MapTree = parsed?.tree ?? {
    kind: 'map',
    place: { file, line: undefined, column: undefined },
    entries: new Map(),
    extent: { nodes: 1, levels: 1 },
  };
  const { config, rules } = buildConfig(
    tree,
    flags,
    parsed?.references ?? new Set(),
    { ...options, path },
    problems,
  );
  const { nowMs } = options;
  return Object.freeze({
    config,
    principals: new Principals(config, { rules, ...(nowMs === undefined ? {} : { nowMs }) }),
    file,
    path,
    settings: namedSettings(tree, config.keys),
  });
}

function buildConfig(
  tree: MapTree,
  flags: Flags,
  references: ReadonlySet<string>,
  options: LoadOptions & { path: string },
  problems: ProblemList,
): { config: Config; rules: IssuedKeyRules } {
  const folder = dirname(options.path);
  checkFileNames(tree, problems);
  const fromFile = readFileScalars(tree, problems);
  const fromEnvironment = withPlace(readEnvironment(options.env, references, problems), ENVIRONMENT);
  const fromFlags = withPlace(flags.values, COMMAND_LINE);
  const sources = [fromFile, fromEnvironment, fromFlags].map((source) => checkScalars(source, problems));
  const scalars = settleScalars(sources);
  const placeOf = (path: string): Place =>
    fromFlags.get(path)?.place ?? fromEnvironment.get(path)?.place ?? fromFile.get(path)?.place ?? tree.place;
  /** Paths in the file are relative to its folder, others to the working directory. */
  const fileAt = (path: string, name: string | null) => {
    if (name === null) return undefined;
    const place = placeOf(path);
    const inFile = place !== COMMAND_LINE && place !== ENVIRONMENT;
    const base = inFile ? folder : options.cwd;
    return { path: resolve(base, name), folder: base, place };
  };

  for (const [setting, shape] of Object.entries(LIST_SHAPES)) {
    const entry = tree.entries.get(setting);
    if (entry !== undefined) checkShape(setting, shape, entry, problems);
  }
  const adminTree = tree.entries.get('admin')?.value;
  const tokens = adminTree?.kind === 'map' ? adminTree.entries.get('tokens') : undefined;
  if (tokens !== undefined) checkShape('admin.tokens', GROUP_LISTS['admin.tokens'], tokens, problems);
  for (const [setting, shape] of MAPPING_FORMS) {
    const entry = tree.entries.get(setting);
    if (entry?.value.kind === 'map') checkShape(setting, shape, entry, problems);
  }
  const timeZone = scalars.time_zone;
  const limitsAt = (owner: MapTree | undefined, setting: string) =>
    readNamedLimits(owner?.entries.get('limits')?.value, { setting, timeZone, problems, hasDefault: false });
  const mapAt = (setting: string): MapTree | undefined => {
    const value = tree.entries.get(setting)?.value;
    return value?.kind === 'map' ? value : undefined;
  };
  const defaults = limitsAt(tree, 'limits');
  const gateway = mapAt('gateway');
  const gatewayLimits = limitSet(limitsAt(gateway, 'gateway.limits'));
  const models: ModelLimits[] = [];
  for (const [pattern, { place, value }] of mapAt('models')?.entries ?? []) {
    if (!isModelPattern(pattern)) {
      problems.add(place, 'models', {
        wrong: 'a model pattern in `models` holds other characters than letters, digits and . * : @ / + _ -',
        remedy: 'write such as "gpt-4o*"',
      });
    }
    if (value.kind !== 'map') continue;
    const limits = ownerLimits(`model:${pattern}`, limitSet(limitsAt(value, `models["${pattern}"].limits`)));
    models.push(Object.freeze({ pattern, matches: modelMatcher(pattern), limits }));
  }
  const redisUrl = fileAt('redis_url', scalars.redis_url);
  const redis = readRedis(
    redisUrl && scalars.redis_url !== null
      ? { text: scalars.redis_url, place: redisUrl.place, folder: redisUrl.folder }
      : undefined,
    tree.entries.get('redis'),
    { folder, problems },
  );
  const tiers = readTiers(tree, { timeZone, problems });
  const teams = readTeams(tree, { tiers, timeZone, problems });
  const alerts = readAlerts(tree, { folder, problems });
  const adminTokens = readAdminTokens(tokens?.value, { folder, problems });
  const ledger = readLedger(tree, { folder, problems });
  const keys = readKeys(tree, { defaults, tiers, teams, timeZone, folder, problems });
  const sets = sources.some((source) => source.has('target_url'));
  const given = targetOf(scalars.target_url);
  const upstreams = readUpstreams(tree, { target: sets ? given : undefined, folder, problems });
  const tls = readTlsFiles(
    fileAt('tls.cert_file', scalars.tls.cert_file),
    fileAt('tls.key_file', scalars.tls.key_file),
    problems,
  );
  const listsKeys = tree.entries.has('keys') || tree.entries.has('api_keys');
  const admin = scalars.admin.listen === null ? undefined : parseAddress(scalars.admin.listen);
  if (admin !== undefined) checkAdminPort(admin, scalars, placeOf('admin.listen'), problems);
  else if (tokens !== undefined && adminTokens.length > 0)
    problems.add(tokens.place, 'admin.tokens', {
      wrong: '`admin.tokens` opens nothing without `admin.listen`',
      remedy: 'give the admin API an address, such as `listen: 127.0.0.1:9090`, or take the tokens out',
    });
  problems.throwIfAny();

  const proxies = tree.entries.get('trusted_proxies')?.value;
  const { timeouts } = scalars;
  const config = Object.freeze({
    listenHost: scalars.listen_host,
    listenPort: scalars.listen_port,
    target: sets ? given : (upstreams[0]?.target ?? given),
    upstreams,
    logLevel: scalars.log_level,
    ...(tls === undefined ? {} : { tls }),
    trustedProxies: Object.freeze(
      proxies?.kind === 'list'
        ? proxies.items.flatMap((item) => (item.kind === 'scalar' ? String(item.value) : []))
        : [],
    ),
    keyLimits: limitSet(defaults),
    gateway: gateway && ownerLimits('gateway', gatewayLimits),
    models: Object.freeze(models),
    tiers: Object.freeze([...tiers.keys()]),
    keyFile: ledger?.path ?? resolve(folder, 'nexus.db'),
    teams: Object.freeze(new Map([...teams].map(([name, { team }]) => [name, team]))),
    keys: Object.freeze(keys),
    requireKnownKeys: scalars.require_known_keys ?? listsKeys,
    ...(redis === undefined ? {} : { redis }),
    onRedisFailure: readOnRedisFailure(
      scalars.on_redis_failure,
      tree.entries.get('on_redis_failure')?.value,
      fromEnvironment.has('on_redis_failure') || fromFlags.has('on_redis_failure'),
    ),
    maxWaitMs: scalars.max_wait,
    prices: readPrices(tree),
    unknownModel: unknownModelOf(scalars.unknown_model),
    ...(alerts === undefined ? {} : { alerts }),
    ...(ledger === undefined ? {} : { ledger }),
    reserve: scalars.reserve,
    onDisconnect: scalars.on_disconnect,
    askUsage: scalars.ask_usage,
    timeZone,
    timeouts: Object.freeze({
      connectMs: timeouts.connect,
      firstByteMs: timeouts.first_byte,
      idleMs: timeouts.idle,
      drainMs: timeouts.drain,
    }),
    bodyLimitBytes: scalars.body_limit,
    ...(admin === undefined ? {} : { admin: Object.freeze(admin) }),
    adminTokens,
  });
  const ids = keys.map(({ id }) => id);
  return { config, rules: new IssuedKeyRules(defaults, teams, tiers, ids) };
}

function withPlace(values: ReadonlyMap<string, string>, place: Place): Map<string, ScalarText> {
  return new Map([...values].map(([path, raw]) => [path, { raw, place }]));
}

function unknownModelOf(text: string): Config['unknownModel'] {
  if (text.startsWith('assume:')) return `assume:${text.slice('assume:'.length)}`;
  return text === 'refuse' ? 'refuse' : 'tokens_only';
}

function checkAdminPort(
  admin: { host: string; port: number },
  scalars: ScalarValues,
  place: Place,
  problems: ProblemList,
): void {
  const everywhere = new Set(['0.0.0.0', '::']);
  const overlap =
    admin.host === scalars.listen_host || everywhere.has(admin.host) || everywhere.has(scalars.listen_host);
  if (overlap && admin.port !== 0 && admin.port === scalars.listen_port) {
    problems.add(place, 'admin.listen', {
      wrong: '`admin.listen` has the same port as `listen_port`',
      remedy: 'choose another, such as 127.0.0.1:9090',
    });
  }
}
