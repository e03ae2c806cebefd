import type { CallKind } from '@nexus/tokens';
import type { Dialect } from './exchange.ts';

/** Which door a request goes through: what it is metered as, and whose conventions its client expects. */
export interface Door {
  readonly kind: CallKind | undefined;
  readonly dialect: Dialect;
  /** What an unread call makes of its upload by a model. Absent: it makes nothing, or isn't known. */
  readonly upload?: UploadKind | undefined;
}

/** The calls that run a model on an upload, a form mostly, which passes unread but for the model's name. */
export type UploadKind = 'image' | 'audio' | 'video';

/**
 * The ends of the paths whose calls are metered. What stands before them (`/v1`, `/openai/deployments/NAME`, a provider's
 * prefix) doesn't matter; `/threads/ID/messages` of the Assistants API is not Anthropic's `/v1/messages`.
 */
const METERED: readonly (readonly [RegExp, CallKind])[] = [
  [/\/chat\/completions$/, 'chat'],
  [/(?:^|\/)completions$/, 'completion'],
  [/(?:^|\/)embeddings$/, 'embedding'],
  [/(?:^|\/)responses$/, 'response'],
  [/^(?!.*\/threads\/).*(?:^|\/)messages$/, 'message'],
  [/(?:^|\/)images\/generations$/, 'image'],
  [/(?:^|\/)audio\/speech$/, 'speech'],
  [/(?:^|\/)moderations$/, 'moderation'],
  [/(?:^|\/)rerank$/, 'rerank'],
];

/** OpenAI's image edits and variations, audio transcriptions and translations, and videos. */
const UPLOADS: readonly (readonly [RegExp, UploadKind])[] = [
  [/(?:^|\/)images\/(?:edits|variations)$/, 'image'],
  [/(?:^|\/)audio\/(?:transcriptions|translations)$/, 'audio'],
  [/(?:^|\/)videos$/, 'video'],
];

const ANTHROPIC = /(?:^|\/)v1\/messages(?:\/|$)/;

const PLAIN: Door = { kind: undefined, dialect: 'openai' };
const PLAIN_ANTHROPIC: Door = { kind: undefined, dialect: 'anthropic' };

const doors = new Map<string, Door>();
const MOST_DOORS_KEPT = 256;

/**
 * The door for a method and a raw path (no query). Upper case, percent-encoded letters and a slash at the end lead to the
 * same door, as they may upstream: no spelling of a metered path is unmetered.
 */
export function doorOf(method: string, path: string): Door {
  if (method !== 'POST') return ANTHROPIC.test(path) ? PLAIN_ANTHROPIC : PLAIN;
  const known = doors.get(path);
  if (known) return known;
  const door = findDoor(path);
  if ((door.kind || door.upload) && doors.size < MOST_DOORS_KEPT) doors.set(path, door);
  return door;
}

/** Some servers leave the parameters of a segment out (RFC 3986 §3.3). */
const PARAMETERS = /;[^/]*/g;

function findDoor(path: string): Door {
  const plain = decode(path).toLowerCase().replaceAll(PARAMETERS, '').replace(/\/+$/, '');
  const dialect: Dialect = ANTHROPIC.test(plain) ? 'anthropic' : 'openai';
  const kind = METERED.find(([end]) => end.test(plain))?.[1];
  if (kind === 'message' && dialect !== 'anthropic') return { kind, dialect: 'anthropic' };
  const upload = kind ? undefined : UPLOADS.find(([end]) => end.test(plain))?.[1];
  return { kind, dialect, upload };
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
