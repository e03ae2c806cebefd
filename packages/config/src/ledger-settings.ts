import { resolve } from 'node:path';
import { LedgerSettings } from './config.ts';
import { parseDuration, parseWhole } from './quantity.ts';
import { resolveSecret, type SecretContext, textOf } from './secret-text.ts';
import { postgresUrlFinding } from './shape-leaves.ts';
import type { MapTree } from './yaml-tree.ts';

const FILE = 'nexus.db';
/** A year, and what a yearly report needs beyond. */
const KEEP_MS = 400 * 86_400_000;

/** Reads `ledger`, whose shape was checked before. Undefined: there is none. */
export function readLedger(tree: MapTree, context: SecretContext): LedgerSettings | undefined {
  const given = tree.entries.get('ledger')?.value;
  if (given?.kind !== 'map') return undefined;
  const textAt = (name: string) => textOf(given.entries.get(name)?.value);
  const scalarAt = (name: string) => {
    const value = given.entries.get(name)?.value;
    return value?.kind === 'scalar' ? value.value : undefined;
  };
  const url = given.entries.get('postgres_url');
  const text = textOf(url?.value);
  // What a variable that is not set leaves: no PostgreSQL.
  const postgresUrl =
    url === undefined || text === undefined || text === ''
      ? undefined
      : resolveSecret(text, url.place, 'ledger.postgres_url', context, postgresUrlFinding);
  return new LedgerSettings(
    resolve(context.folder, textAt('path') ?? FILE),
    parseDuration(textAt('keep') ?? '') ?? KEEP_MS,
    postgresUrl,
    parseWhole(scalarAt('queue')),
  );
}
