import { hostname, userInfo } from 'node:os';
import { type Config, credentialHash, PLAIN_NAME } from '@nexus/config';
import { createKey, type Doer, isBudget, type KeyKeeper, newKey, revokeKey, rotateKey } from '@nexus/keys';
import { createLog } from '@nexus/observe';
import { readKeyRequest, readOverlap, type Wrong } from '../keys/key-request.ts';
import { logAudit, shownIssued, shownKeys } from '../keys/shown-keys.ts';
import { keyTable } from './key-table.ts';
import type { Outcome } from './keys-outcome.ts';

type Ask = (keeper: KeyKeeper, config: Config) => Promise<Outcome>;

/** `nexus keys create`. */
export function create(texts: ReadonlyMap<string, string>): Ask {
  return async (keeper, config) => {
    const models = texts.get('models')?.split(',');
    const given = [...texts].filter(([name]) => name !== 'config' && name !== 'models');
    const wish = { ...Object.fromEntries(given), ...(models === undefined ? {} : { models }) };
    const wanted = readKeyRequest(wish, config, Date.now());
    if ('wrong' in wanted) return wrongFlags(wanted);
    const key = newKey();
    const record = await createKey(keeper, { ...wanted, hash: credentialHash(key) }, doer());
    return {
      json: { key, ...shownIssued(record, config, Date.now()) },
      text: `${key}\n`,
      notes: [`The key ${record.id} is shown this once: Nexus keeps only its hash.`, ...hints(config)],
    };
  };
}

/** `nexus keys rotate`. */
export function rotate(id: string, overlap: string | undefined): Ask {
  return async (keeper, config) => {
    const read = readOverlap(overlap === undefined ? {} : { overlap });
    if ('wrong' in read) return wrongFlags(read);
    const refused = notIssued(id, config);
    if (refused) return refused;
    const key = newKey();
    const { overlapMs } = read;
    const record = await rotateKey(keeper, { id, hash: credentialHash(key), overlapMs }, doer());
    const until = record.replaces?.[0]?.untilMs;
    const before =
      until === undefined
        ? 'The secret before is refused from now on.'
        : `The secret before stays good until ${new Date(until).toISOString()}.`;
    return {
      json: { key, ...shownIssued(record, config, Date.now()) },
      text: `${key}\n`,
      notes: [`The new secret of ${id} is shown this once. ${before}`],
    };
  };
}

/** `nexus keys revoke`. */
export function revoke(id: string): Ask {
  return async (keeper, config) => {
    const refused = notIssued(id, config);
    if (refused) return refused;
    const record = await revokeKey(keeper, id, doer());
    return {
      json: shownIssued(record, config, Date.now()),
      text: `The key ${id} is revoked. Every gateway refuses it within a second.\n`,
    };
  };
}

/** `nexus keys list`. */
export function list(): Ask {
  return async (keeper, config) => {
    const { records } = await keeper.changes(undefined);
    const issued = records.flatMap((record) => (isBudget(record) ? [] : [record]));
    const shown = shownKeys(issued, config, Date.now());
    return { json: shown, text: keyTable(shown) };
  };
}

function wrongFlags({ wrong }: Wrong): Outcome {
  return { usage: wrong.map((sentence) => `--${sentence}`).join('; ') };
}

function notIssued(id: string, { keys }: Config): Outcome | undefined {
  // What is no id could be a key: it is not repeated.
  if (!PLAIN_NAME.test(id) || id.startsWith('nxs_'))
    return { usage: 'it takes the id of a key, not the key' };
  return keys.some((listed) => listed.id === id)
    ? { refused: `the configuration lists the key ${id}: change it there` }
    : undefined;
}

/** What would make a new key useless or too little, said to whoever has just made one. */
function hints({ requireKnownKeys, upstreams }: Config): string[] {
  return [
    ...(requireKnownKeys
      ? []
      : ['Unknown keys are let through too. To refuse them, set require_known_keys: true.']),
    ...(upstreams.some(({ keys }) => keys.length > 0)
      ? []
      : ['No upstream is given a key with it. If yours needs one, list it in upstreams with its keys.']),
  ];
}

const LONGEST_NAME = 64;

function doer(): Doer {
  return {
    by: `cli:${userName().slice(0, LONGEST_NAME)}@${hostname().slice(0, LONGEST_NAME)}`,
    nowMs: Date.now(),
    onDone(audit) {
      // People read the sentence that follows; whoever collects the output gets the line that a gateway would write.
      if (process.stderr.isTTY) return;
      logAudit(audit, createLog({ level: 'info', write: (line: string) => void process.stderr.write(line) }));
    },
  };
}

/** A user without an entry in the system's list, as in many containers, is named by its number. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
