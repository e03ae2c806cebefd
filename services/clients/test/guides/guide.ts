import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const GUIDES = fileURLToPath(new URL('../../../../docs/guides/', import.meta.url));

/** One thing that a guide tells its reader to do. */
export type Step =
  /** Save a file. */
  | { readonly kind: 'file'; readonly name: string; readonly text: string }
  /** Run something that goes on running. */
  | { readonly kind: 'serve'; readonly what: 'stand-in' | 'receiver' | 'gateway'; readonly shell: string }
  /** Run something; `prints` is what the guide says that comes out, where it says so. */
  | { readonly kind: 'run'; readonly shell: string; readonly prints: string | undefined };

export interface Guide {
  /** What the reader types first in every terminal. */
  readonly terminal: string;
  readonly steps: readonly Step[];
}

/**
 * Reads a guide: ```yaml and ```js blocks are files, named by their first line; ```sh blocks are commands, the first of them that of every terminal;
 * a ```text block is what the command before it prints. Any other block is a mistake of the guide.
 */
export function readGuide(name: string): Guide {
  const text = readFileSync(`${GUIDES}${name}.md`, 'utf8');
  const blocks = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', body = '']) => ({
    language,
    body,
  }));
  const [first, ...rest] = blocks;
  if (first?.language !== 'sh') throw new Error(`${name}.md does not begin with what each terminal needs.`);
  const steps: Step[] = [];
  for (const { language, body } of rest) {
    const last = steps.at(-1);
    if (language === 'yaml' || language === 'js')
      steps.push({ kind: 'file', name: fileName(body), text: body });
    else if (language === 'sh') steps.push(command(body));
    else if (language === 'text' && last?.kind === 'run' && last.prints === undefined)
      steps.splice(-1, 1, { ...last, prints: body });
    else throw new Error(`${name}.md has a block that is no file, no command and no output:\n${body}`);
  }
  return { terminal: first.body, steps };
}

function fileName(body: string): string {
  const name = /^(?:#|\/\/) (\S+\.(?:yaml|mjs))\n/.exec(body)?.[1];
  if (name === undefined) throw new Error(`The first line of a file is its name, not:\n${body}`);
  return name;
}

function command(shell: string): Step {
  if (/^nexus simulate\b/m.test(shell)) return { kind: 'serve', what: 'stand-in', shell };
  if (/^node \S+\.mjs\b/m.test(shell)) return { kind: 'serve', what: 'receiver', shell };
  if (/^nexus --config\b/m.test(shell)) return { kind: 'serve', what: 'gateway', shell };
  return { kind: 'run', shell, prints: undefined };
}

/** Whether a command prints what the guide shows: `…` stands for anything in a line, alone in a line for any lines. */
export function isAsShown(printed: string, shown: string): boolean {
  const lines = shown.trimEnd().split('\n');
  const pattern = lines.map((line) =>
    line === '…' ? '[^]*' : `${line.trimEnd().split('…').map(RegExp.escape).join('.*')} *`,
  );
  return new RegExp(`^${pattern.join('\n')}$`).test(printed.replaceAll('\r', '').trimEnd());
}

/** Whether a command only looks, at what reaches the log, the ledger or a changed gateway a moment later: it may be given again. */
export function onlyLooks(shell: string): boolean {
  return /^(nexus (usage|explain|replay|keys list)|grep|opens|curl -s "?http:\/\/127\.0\.0\.1:9090\/)/.test(
    shell,
  );
}
