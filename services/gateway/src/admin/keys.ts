import { type Config, credentialHash, PLAIN_NAME } from '@nexus/config';
import { createKey, type KeyRecord, newKey, revokeKey, rotateKey } from '@nexus/keys';
import { readKeyRequest, readOverlap, type Wrong } from '../keys/key-request.ts';
import { shownAudit, shownIssued, shownKeys } from '../keys/shown-keys.ts';
import type { AdminAnswer, AdminCall, AdminRoute } from './api.ts';
import { AUDIT_ANSWER, CREATED_ANSWER, CREATION, KEY_ANSWER, KEYS_ANSWER, ROTATION } from './key-schemas.ts';
import { ProblemError } from './problem.ts';
import { badRequest, changed, doer, type StoreParts, stored } from './stored.ts';

/** What the routes about keys work on. */
export interface KeyParts extends StoreParts {
  readonly config: Config;
}

/** Where to look up what became of a change. */
const LIST = 'GET /admin/v1/keys';

const MOST_KEYS_SHOWN = 1_000;
const MOST_AUDITS_SHOWN = 1_000;

/** Routes that issue, rotate, revoke and list keys, and that tell who did so. */
export function keyRoutes(parts: KeyParts): readonly AdminRoute[] {
  const change = (route: Pick<AdminRoute, 'method' | 'path' | 'summary' | 'answer' | 'handle' | 'body'>) => ({
    ...route,
    scope: 'keys' as const,
    handle: (call: AdminCall): Promise<AdminAnswer> => changed(() => route.handle(call), parts, LIST),
  });
  return [
    {
      method: 'get',
      path: '/admin/v1/keys',
      scope: 'read',
      summary: 'All keys, those that the configuration lists and those that were issued, by their ids',
      query: {
        team: 'Only those of this team.',
        after: 'Only those whose id comes after this one: the `next` of the page before.',
      },
      answer: KEYS_ANSWER,
      handle: async ({ req }) => ({ json: page(req.query, parts) }),
    },
    change({
      method: 'post',
      path: '/admin/v1/keys',
      summary: 'Issues a key. The answer alone shows it.',
      body: CREATION,
      answer: CREATED_ANSWER,
      handle: async ({ body, by }) => {
        const wanted = orThrow(readKeyRequest(body, parts.config, Date.now()));
        const key = newKey();
        const record = await createKey(
          parts.keys.keeper,
          { ...wanted, hash: credentialHash(key) },
          doer(by.id, parts.log),
        );
        return { status: 201, json: { key, ...shown(record, parts) } };
      },
    }),
    change({
      method: 'post',
      path: '/admin/v1/keys/{id}/rotate',
      summary:
        'Gives a key a new secret, which the answer alone shows; the one before stays good for a while',
      body: ROTATION,
      answer: CREATED_ANSWER,
      handle: async ({ req, body, by }) => {
        const { overlapMs } = orThrow(readOverlap(body));
        const id = issuedId(req.params.id, parts.config);
        const key = newKey();
        const rotation = { id, hash: credentialHash(key), overlapMs };
        const record = await rotateKey(parts.keys.keeper, rotation, doer(by.id, parts.log));
        return { json: { key, ...shown(record, parts) } };
      },
    }),
    change({
      method: 'delete',
      path: '/admin/v1/keys/{id}',
      summary: 'Revokes a key for good, with all its secrets',
      answer: KEY_ANSWER,
      handle: async ({ req, by }) => {
        const id = issuedId(req.params.id, parts.config);
        const record = await revokeKey(parts.keys.keeper, id, doer(by.id, parts.log));
        return { json: shown(record, parts) };
      },
    }),
    {
      method: 'get',
      path: '/admin/v1/audit',
      scope: 'read',
      summary: 'Who changed what, and when: the latest first, at most a thousand',
      answer: AUDIT_ANSWER,
      handle: async () => {
        const records = await stored(() => parts.keys.keeper.audits(MOST_AUDITS_SHOWN), parts, LIST);
        return { json: { records: records.map(shownAudit) } };
      },
    },
  ];
}

function shown(record: KeyRecord, { config }: KeyParts) {
  return shownIssued(record, config, Date.now());
}

function page(query: Readonly<Record<string, unknown>>, { config, keys }: KeyParts): object {
  const { team, after } = query;
  if ((team !== undefined && typeof team !== 'string') || (after !== undefined && typeof after !== 'string'))
    throw badRequest('team and after are given once each.');
  const all = shownKeys(keys.issued.records(), config, Date.now()).filter(
    (key) => (team === undefined || key.team === team) && (after === undefined || key.id > after),
  );
  const shownPage = all.slice(0, MOST_KEYS_SHOWN);
  return {
    keys: shownPage,
    next: all.length > shownPage.length ? (shownPage.at(-1)?.id ?? null) : null,
    store: keys.issued.state().status,
  };
}

function orThrow<T extends object>(read: T | Wrong): T {
  if (!('wrong' in read)) return read;
  throw badRequest(`${read.wrong.join('; ')}.`);
}

/** The id in a path, if it can be that of an issued key. */
function issuedId(id: unknown, { keys }: Config): string {
  if (typeof id !== 'string' || !PLAIN_NAME.test(id))
    throw new ProblemError({ status: 404, title: 'Not Found', detail: 'There is no key of this id.' });
  if (keys.some((listed) => listed.id === id))
    throw new ProblemError({
      status: 409,
      title: 'Conflict',
      detail: `The configuration lists the key ${id}: change it there.`,
    });
  return id;
}
