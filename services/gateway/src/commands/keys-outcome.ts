import { type Config, ConfigProblems } from '@nexus/config';
import { IssuingError, type KeyKeeper } from '@nexus/keys';
import { openKeeper } from '../keys/open-keys.ts';
import { loadCheckedConfig } from '../load-config.ts';

/** What a command about keys comes to. */
export type Outcome =
  | {
      /** For programs. */
      readonly json: unknown;
      /** For people, on standard output. */
      readonly text: string;
      /** For people, on standard error. */
      readonly notes?: readonly string[];
    }
  | { readonly refused: string }
  | { readonly usage: string };

/** Opens the keys that the configuration names, for one question. */
export async function withKeeper(
  file: string | undefined,
  ask: (keeper: KeyKeeper, config: Config) => Promise<Outcome>,
): Promise<Outcome> {
  const args = file === undefined ? [] : ['--config', file];
  let keeper: KeyKeeper | undefined;
  try {
    const { config } = loadCheckedConfig({ args, env: process.env, cwd: process.cwd() });
    keeper = await openKeeper(config);
    return await ask(keeper, config);
  } catch (error) {
    if (error instanceof ConfigProblems) return { refused: `the configuration is bad\n${error}` };
    if (error instanceof IssuingError) return { refused: error.message };
    return { refused: `the store of the keys can't be used: ${why(error)}` };
  } finally {
    keeper?.close();
  }
}

function why(error: unknown): string {
  if (!(error instanceof Error)) return 'the cause is not known';
  const { cause } = error;
  return cause instanceof Error ? `${error.message} (${cause.message})` : error.message;
}
