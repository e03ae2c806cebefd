import type { z } from 'zod';
import type { Scope } from './later.ts';
import { LIMIT_KINDS } from './limit-settings.ts';
import { isModelPattern } from './model-pattern.ts';
import { BROKEN, type Place, type ProblemList } from './problems.ts';
import { LIST_SHAPES, SHAPE_NAMES } from './shape.ts';
import { ID } from './shape-leaves.ts';
import { unknownName } from './unknown-name.ts';
import type { Tree } from './yaml-tree.ts';

type Path = readonly PropertyKey[];

/** A tree as plain values for zod. Mappings have no prototype; what was reported already is BROKEN. */
export function plainValue(tree: Tree): unknown {
  switch (tree.kind) {
    case 'scalar':
      return tree.value ?? BROKEN;
    case 'broken':
      return BROKEN;
    case 'list':
      return tree.items.map(plainValue);
    case 'map': {
      const plain: Record<string, unknown> = Object.create(null);
      for (const [name, { value }] of tree.entries) plain[name] = plainValue(value);
      return plain;
    }
  }
}

/** Checks one list or mapping of the file against its shape; every finding goes to `problems` with its place. */
export function checkShape(
  setting: string,
  shape: z.ZodType,
  entry: { readonly place: Place; readonly value: Tree },
  problems: ProblemList,
): void {
  reportNulls(entry.value, entry.place, [setting], entry.value, problems);
  const result = shape.safeParse(plainValue(entry.value));
  for (const issue of result.error?.issues ?? []) report(issue, setting, entry, problems);
}

function report(
  issue: z.core.$ZodIssue,
  setting: string,
  entry: { readonly place: Place; readonly value: Tree },
  problems: ProblemList,
): void {
  const { place, tree } = locate(entry, issue.path);
  if (issue.code === 'invalid_union') {
    // One mapping, or a list of such: what is wrong is said of the form that was chosen.
    const [one = [], list = []] = issue.errors;
    for (const inner of tree?.kind === 'list' ? list : one)
      report({ ...inner, path: [...issue.path, ...inner.path] }, setting, entry, problems);
    return;
  }
  const path = settingPath([setting, ...issue.path], entry.value);
  const add = (at: Place, wrong: string, remedy: string) => problems.add(at, path, { wrong, remedy });
  if (issue.code === 'unrecognized_keys') {
    for (const name of issue.keys) {
      const scope = scopeOf([setting, ...issue.path]);
      const at = tree?.kind === 'map' ? (tree.entries.get(name)?.place ?? place) : place;
      problems.add(at, path, unknownName(scope, name, KNOWN[scope] ?? [], path));
    }
  } else if (tree === undefined) {
    const parent = settingPath([setting, ...issue.path.slice(0, -1)], entry.value);
    const name = String(issue.path.at(-1));
    if (issue.code === 'custom' && !EXAMPLES.has(name) && KNOWN.key?.includes(name) !== true) {
      add(place, `\`${path}\` ${issue.message}`, remedyOf(issue));
    } else {
      add(place, `\`${parent}\` has no \`${name}\``, EXAMPLES.get(name) ?? `add \`${name}\``);
    }
  } else if (tree.kind === 'broken' || (tree.kind === 'scalar' && tree.value === null)) {
    // Said already.
  } else if (issue.code === 'invalid_type') {
    const list = issue.expected === 'array';
    const kind = list ? 'list' : 'mapping';
    const form = list ? `${path}: [ … ], or one \`- …\` a line` : 'indented `name: value` lines below it';
    add(place, `\`${path}\` is not a ${kind}`, `write ${form}`);
  } else {
    add(place, `\`${path}\` ${issue.message}`, remedyOf(issue));
  }
}

function remedyOf(issue: z.core.$ZodIssue): string {
  const params: unknown = 'params' in issue ? issue.params : undefined;
  const remedy =
    typeof params === 'object' && params !== null && 'remedy' in params ? params.remedy : undefined;
  return typeof remedy === 'string' ? remedy : 'see docs/configuration.md';
}

/** The names of the mappings that are checked by shape and have few. */
const KNOWN: Partial<Record<Scope, readonly string[]>> = {
  key: Object.keys(LIST_SHAPES.keys.element.shape),
  ...SHAPE_NAMES,
  owner: ['limits'],
  redis: Object.keys(LIST_SHAPES.redis.shape),
  on_redis_failure: ['rates', 'budgets'],
  limits: [...LIMIT_KINDS.keys(), 'burst'],
};

const EXAMPLES = new Map([
  ['token', `write such as \`token: \${ADMIN_TOKEN}\``],
  ['scopes', 'write such as `scopes: [read]`'],
  ['name', 'write such as `name: openai`'],
  ['target_url', 'write such as `target_url: https://api.openai.com`'],
  ['on', 'write such as `on: [429, 5xx]`'],
  ['webhook', 'write such as `webhook: https://hooks.company.com/nexus`'],
  ['id', 'write such as `id: search-prod`'],
  ['key', `write such as \`key: \${SEARCH_PROD_KEY}\``],
  ['limits', 'write `limits:` with at least one limit'],
  ['keys', 'write such as `keys: [search-prod]`'],
]);

function scopeOf(path: Path): Scope {
  const [setting] = path;
  const last = path.at(-1);
  if (last === 'limits' || last === 'each_key' || setting === 'tiers') return 'limits';
  if (setting === 'teams' && (last === 'customers' || last === 'tier_by_header')) return last;
  if (setting === 'teams') return path.length === 2 ? 'team' : 'owner';
  if (setting === 'prices') return 'price';
  if (setting === 'upstreams') return last === 'retry' ? 'retry' : 'upstream';
  if (setting === 'admin.tokens') return 'admin_token';
  if (setting === 'alerts' || setting === 'ledger') return setting;
  if (setting === 'redis' || setting === 'on_redis_failure') return setting;
  return setting === 'keys' ? 'key' : 'owner';
}

/** The place of a setting: its name in a mapping, else itself; of one that isn't there: that of what should hold it. */
function locate(
  entry: { readonly place: Place; readonly value: Tree },
  path: Path,
): { place: Place; tree: Tree | undefined } {
  let { place } = entry;
  let tree: Tree | undefined = entry.value;
  for (const step of path) {
    if (tree?.kind === 'map') {
      const next = tree.entries.get(String(step));
      tree = next?.value;
      place = next?.place ?? place;
    } else if (tree?.kind === 'list') {
      tree = tree.items[Number(step)];
      place = tree?.place ?? place;
    } else {
      return { place, tree: undefined };
    }
  }
  return { place, tree };
}

/** What isn't made like a name may be a secret. */
const SHOWABLE = /^[A-Za-z0-9_.-]{1,64}$/;
/** The mappings whose names come from users. */
const NAMED_BY_USERS: ReadonlySet<PropertyKey> = new Set(['models', 'prices', 'api_keys', 'teams', 'tiers']);

/** `keys[0].limits.burst`, `models["gpt-4o*"].limits`. A name in `api_keys` is a secret: its position stands for it. */
function settingPath(path: Path, root: Tree): string {
  const [setting, ...steps] = path;
  let shown = String(setting);
  for (const [index, step] of steps.entries()) {
    if (typeof step === 'number') shown += `[${step}]`;
    else if (index > 0 || !NAMED_BY_USERS.has(setting ?? ''))
      shown += SHOWABLE.test(String(step)) ? `.${String(step)}` : '[…]';
    else if ((setting === 'teams' || setting === 'tiers') && ID.test(String(step)))
      shown += `.${String(step)}`;
    else if ((setting === 'models' || setting === 'prices') && isModelPattern(String(step)))
      shown += `["${String(step)}"]`;
    else shown += `[${root.kind === 'map' ? [...root.entries.keys()].indexOf(String(step)) : 0}]`;
  }
  return shown;
}

function reportNulls(tree: Tree, place: Place, path: Path, root: Tree, problems: ProblemList): void {
  if (tree.kind === 'scalar' && tree.value === null) {
    const [, ...below] = path;
    const shown = settingPath([path[0] ?? '', ...below], root);
    problems.add(place, shown, { wrong: `\`${shown}\` has no value`, remedy: 'give it one, or remove it' });
  } else if (tree.kind === 'list') {
    for (const [index, item] of tree.items.entries()) {
      reportNulls(item, item.place, [...path, index], root, problems);
    }
  } else if (tree.kind === 'map') {
    for (const [name, entry] of tree.entries) {
      reportNulls(entry.value, entry.place, [...path, name], root, problems);
    }
  }
}
