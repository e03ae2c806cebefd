// The lines that are not about one request: their fields are free, so what they may show is bounded here.

import { errorJson } from './error-json.ts';
import { isoTime, jsonNumber, jsonString } from './json-text.ts';
import type { LogLevel } from './log-level.ts';
import { redactShapes, redactWithin } from './redact.ts';

/**
 * What varies in an entry, by name in camelCase; it is written in snake_case. Texts, numbers, booleans, dates, errors, and
 * arrays and plain objects of them are written; of other objects only the class.
 */
export type LogFields = Readonly<Record<string, unknown>>;

const MESSAGE_LENGTH = 1_024;
const TEXT_LENGTH = 2_048;
const NAME_LENGTH = 64;
const DEPTH = 4;
/** Entries of one object or array. */
const ENTRIES = 64;
/** Entries of all objects and arrays of a line together. */
const ENTRIES_IN_ALL = 256;

/** Names whose values are secret or not ours to keep, whatever they look like. */
const SECRET_NAME =
  /(?:^|_)(?:authorization|cookies?|pass(?:word|wd|phrase)?|secrets?|token|credentials?|api_?keys?|key|keys|headers?|raw_headers|body|prompt|messages)$/;

/** Names that hold public names, in which `key:` is no warning sign. */
const PUBLIC_NAMES: ReadonlySet<string> = new Set(['key_id', 'owner', 'limit', 'bucket', 'reason']);

/** Names that every line has for itself. */
const OWN_NAMES: ReadonlySet<string> = new Set(['time', 'level', 'message', 'error', 'suppressed']);

const knownNames = new Map<string, string>();

function snakeCase(name: string): string {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  const snake = redactWithin(name.slice(0, NAME_LENGTH), NAME_LENGTH)
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9_]/g, '_')
    .toLowerCase();
  if (knownNames.size < 1_000) knownNames.set(name, snake);
  return snake;
}

interface Budget {
  entries: number;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function objectJson(value: object, name: string, depth: number, budget: Budget): string {
  if (value instanceof Error) return errorJson(value, { withStack: false });
  if (value instanceof Date) return jsonString(isoTime(value.getTime()));
  if (depth >= DEPTH) return '"[too deep]"';
  if (Array.isArray(value)) {
    const parts: string[] = [];
    for (let index = 0; index < Math.min(value.length, ENTRIES) && budget.entries > 0; index++) {
      parts.push(valueJson(Reflect.get(value, `${index}`), name, depth + 1, budget) ?? 'null');
    }
    if (parts.length < value.length) parts.push(`"… (${value.length - parts.length} more)"`);
    return `[${parts.join(',')}]`;
  }
  if (!isPlain(value)) {
    return jsonString(`[${redactShapes(String(value.constructor.name).slice(0, NAME_LENGTH))}]`);
  }
  return `{${fieldsJson(value, depth + 1, budget).slice(1)}}`;
}

/** JSON of any value; undefined for what has none. */
function valueJson(value: unknown, name: string, depth: number, budget: Budget): string | undefined {
  budget.entries -= 1;
  switch (typeof value) {
    case 'string':
      return jsonString(
        PUBLIC_NAMES.has(name)
          ? redactShapes(value.slice(0, NAME_LENGTH * 4))
          : redactWithin(value, TEXT_LENGTH),
      );
    case 'number':
      return jsonNumber(value);
    case 'boolean':
      return `${value}`;
    case 'bigint':
      return jsonString(`${value}`.slice(0, NAME_LENGTH));
    case 'object':
      if (value === null) return 'null';
      try {
        return objectJson(value, name, depth, budget);
      } catch {
        return '"[unreadable]"';
      }
    default:
      return undefined;
  }
}

/** `,"name":value` for each field, each name once. */
function fieldsJson(fields: object, depth: number, budget: Budget): string {
  const names = new Set<string>();
  let json = '';
  for (const key of Object.keys(fields).slice(0, ENTRIES)) {
    if (depth === 0 && key === 'error') continue;
    if (budget.entries <= 0) break;
    let name = snakeCase(key);
    if (depth === 0 && OWN_NAMES.has(name)) name = `${name}_`;
    if (names.has(name)) continue;
    let value: string | undefined;
    try {
      const held: unknown = Reflect.get(fields, key);
      const hidden = SECRET_NAME.test(name) && typeof held !== 'number' && typeof held !== 'boolean';
      value = hidden && held !== undefined ? '"[redacted]"' : valueJson(held, name, depth, budget);
    } catch {
      value = '"[unreadable]"';
    }
    if (value === undefined) continue;
    names.add(name);
    json += `,${jsonString(name)}:${value}`;
  }
  return json;
}

/** An entry as one JSON object on one line, with its newline. It never throws; what cannot be read is said to be so. */
export function entryJson(
  level: LogLevel,
  message: string,
  fields: LogFields,
  nowMs: number,
  suppressed: number,
): string {
  let json = `{"time":"${isoTime(nowMs)}","level":"${level}","message":${jsonString(redactWithin(`${message}`, MESSAGE_LENGTH))}`;
  try {
    json += fieldsJson(fields, 0, { entries: ENTRIES_IN_ALL });
  } catch {
    json += ',"fields":"[unreadable]"';
  }
  const error = errorOf(fields);
  if (error !== undefined) json += `,"error":${errorJson(error, { withStack: true })}`;
  if (suppressed > 0) json += `,"suppressed":${suppressed}`;
  return `${json}}\n`;
}

/** What the fields hold as `error`; undefined where there is none or it cannot be read. */
export function errorOf(fields: LogFields): unknown {
  try {
    return fields.error;
  } catch {
    return undefined;
  }
}
