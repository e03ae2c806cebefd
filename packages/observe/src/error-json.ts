// Errors carry more than their message: requests with headers, raw packets, configuration. Of whatever was thrown only
// class, code, message, stack and causes are read, each of them as if it were hostile.

import { jsonNumber, jsonString } from './json-text.ts';
import { redactShapes, redactWithin } from './redact.ts';

/** Bounds in characters, and in number of errors below the first. */
const MESSAGE_LENGTH = 2_048;
const STACK_LENGTH = 8_192;
const CLASS_LENGTH = 128;
const CAUSES = 6;

/** The property, or undefined where reading it throws. */
function property(thing: object, name: string): unknown {
  try {
    return Reflect.get(thing, name);
  } catch {
    return undefined;
  }
}

function textOf(thing: object, name: string): string | undefined {
  const value = property(thing, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function className(thing: object): string {
  const maker = property(thing, 'constructor');
  const name = textOf(thing, 'name') ?? (typeof maker === 'function' ? textOf(maker, 'name') : '');
  return redactShapes((name ?? '').slice(0, CLASS_LENGTH)) || 'Object';
}

function codeJson(thing: object): string {
  const code = property(thing, 'code');
  if (typeof code === 'number') return `,"code":${jsonNumber(code)}`;
  if (typeof code === 'string') return `,"code":${jsonString(redactShapes(code.slice(0, CLASS_LENGTH)))}`;
  return '';
}

function headJson(thrown: unknown, withStack: boolean): string {
  if (typeof thrown === 'string') {
    return `"class":"string","message":${jsonString(redactWithin(thrown, MESSAGE_LENGTH))}`;
  }
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) {
    return `"class":"${thrown === null ? 'null' : typeof thrown}","message":${jsonString(String(thrown).slice(0, CLASS_LENGTH))}`;
  }
  const message = textOf(thrown, 'message') ?? '';
  let json = `"class":${jsonString(className(thrown))}${codeJson(thrown)},"message":${jsonString(redactWithin(message, MESSAGE_LENGTH))}`;
  const stack = withStack ? textOf(thrown, 'stack') : undefined;
  if (stack !== undefined) json += `,"stack":${jsonString(redactWithin(stack, STACK_LENGTH))}`;
  return json;
}

/** What an error names as its reasons: its cause, and what an AggregateError gathers. */
function reasons(thrown: unknown): unknown[] {
  if (typeof thrown !== 'object' || thrown === null) return [];
  const cause = property(thrown, 'cause');
  const gathered = property(thrown, 'errors');
  const found: unknown[] = cause === undefined ? [] : [cause];
  if (Array.isArray(gathered)) {
    for (let index = 0; index < Math.min(gathered.length, CAUSES); index++) {
      const reason = property(gathered, `${index}`);
      if (reason !== undefined) found.push(reason);
    }
  }
  return found;
}

/**
 * Whatever was thrown as a JSON object: `class`, `code`, `message`, `stack` and `causes`, a flat list of what it names as
 * its cause or gathers, nearest first. Redacted and bounded; it never throws.
 */
export function errorJson(thrown: unknown, options: { readonly withStack: boolean }): string {
  let json = `{${headJson(thrown, options.withStack)}`;
  const seen = new Set<unknown>([thrown]);
  const waiting = reasons(thrown);
  const causes: string[] = [];
  while (waiting.length > 0 && causes.length < CAUSES) {
    const reason = waiting.shift();
    if (seen.has(reason)) continue;
    seen.add(reason);
    causes.push(`{${headJson(reason, options.withStack)}}`);
    waiting.push(...reasons(reason));
  }
  if (causes.length > 0) json += `,"causes":[${causes.join(',')}]`;
  return `${json}}`;
}

/** What makes two errors the same kind: the code, or else the class. */
export function errorKind(thrown: unknown): string {
  if (typeof thrown !== 'object' || thrown === null) return typeof thrown;
  return (textOf(thrown, 'code') ?? className(thrown)).slice(0, CLASS_LENGTH);
}
