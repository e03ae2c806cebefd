import { resolve } from 'node:path';
import { readBounded, readFailure } from './config-file.ts';
import type { Finding, Place, ProblemList } from './problems.ts';
import { secretFinding } from './shape-leaves.ts';
import type { Tree } from './yaml-tree.ts';

/** Far above any secret; a larger file is not one. */
const LARGEST_SECRET_BYTES = 16_384;

export interface SecretContext {
  /** What `file:` paths are relative to: the folder of the configuration file. */
  readonly folder: string;
  readonly problems: ProblemList;
}

/** The text of a scalar; undefined for everything else. */
export function textOf(tree: Tree | undefined): string | undefined {
  return tree?.kind === 'scalar' && typeof tree.value === 'string' ? tree.value : undefined;
}

/** The secret itself, read from its file where it is `file:/path`. Undefined: there is a problem, and it was said. */
export function resolveSecret(
  text: string | undefined,
  place: Place,
  setting: string,
  { folder, problems }: SecretContext,
  check: (text: string) => Finding | undefined = secretFinding,
): string | undefined {
  if (text === undefined) return undefined;
  let secret = text;
  let source = `\`${setting}\``;
  if (text.startsWith('file:')) {
    source = `the file that \`${setting}\` names`;
    const add = (wrong: string, remedy: string): undefined => {
      problems.add(place, setting, { wrong: `${source} ${wrong}`, remedy });
    };
    try {
      const bytes = readBounded(resolve(folder, text.slice('file:'.length)), LARGEST_SECRET_BYTES);
      if (bytes.length > LARGEST_SECRET_BYTES)
        return add('is larger than 16 KB', 'name a file that holds one secret');
      secret = bytes.toString('utf8').replace(/\r?\n$/, '');
    } catch (error) {
      return add(readFailure(error), 'write file:/path/to/a/readable/file');
    }
  }
  const finding = check(secret);
  if (finding === undefined) return secret;
  problems.add(place, setting, { wrong: `${source} ${finding.wrong}`, remedy: finding.remedy });
  return undefined;
}
