import { type Config, ConfigProblems, type LedgerSettings } from '@nexus/config';
import { loadCheckedConfig } from '../load-config.ts';

/** The configuration of a command that reads the ledger; undefined: it is bad, or has no ledger, which has been said. */
export function ledgerConfig(
  file: string | undefined,
): (Config & { readonly ledger: LedgerSettings }) | undefined {
  const args = file === undefined ? [] : ['--config', file];
  try {
    const { config, file: read } = loadCheckedConfig({ args, env: process.env, cwd: process.cwd() });
    const { ledger } = config;
    if (ledger !== undefined) return { ...config, ledger };
    process.stderr.write(`nexus: ${read} has no ledger. Write \`ledger: {}\` in it, and restart Nexus.\n`);
  } catch (error) {
    if (!(error instanceof ConfigProblems)) throw error;
    process.stderr.write(`${error}\n`);
  }
  return undefined;
}

/** Says that the ledger can't be read, and why; the exit code. */
export function sayUnreadable(error: unknown): number {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : '';
  const why = message === '' ? code : message;
  process.stderr.write(`nexus: the ledger can't be read: ${why}\n`);
  return 1;
}
