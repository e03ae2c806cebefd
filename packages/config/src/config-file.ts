import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import type { Finding, ProblemList } from './problems.ts';

/** 10,000 keys of 100 characters. A larger file is a mistake, and would only take long to be refused. */
const LARGEST_FILE_BYTES = 1_048_576;

/** The path as the user would name it: relative below the working directory, else absolute. */
export function shownPath(path: string, cwd: string): string {
  const absolute = resolve(cwd, path);
  const inside = relative(cwd, absolute);
  const leaves = inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside);
  return leaves ? absolute : inside;
}

/** Up to `largestBytes` + 1 bytes of a file, so that a caller can tell that it is larger. Throws as node:fs does. */
export function readBounded(path: string, largestBytes: number): Buffer {
  const descriptor = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(largestBytes + 1);
    let length = 0;
    while (length < buffer.length) {
      const read = readSync(descriptor, buffer, length, buffer.length - length, null);
      if (read === 0) break;
      length += read;
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

/** Why a file could not be read, in words; never its content. */
export function readFailure(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user';
  if (code === 'EISDIR') return 'is a directory';
  return `cannot be read (${typeof code === 'string' ? code : 'unknown error'})`;
}

/** Reads the configuration's text. Undefined: it could not be read, and `problems` says why. */
export function readConfigText(
  path: string,
  options: { file: string; chosen: boolean; problems: ProblemList },
): string | undefined {
  const { file, chosen, problems } = options;
  const whole = { file, line: undefined, column: undefined };
  const fail = (finding: Finding): undefined => {
    problems.add(whole, '', finding);
  };
  let bytes: Buffer;
  try {
    if (statSync(path).isDirectory()) {
      return fail({ wrong: 'this is a directory', remedy: 'name the file in it, such as config.yaml' });
    }
    bytes = readBounded(path, LARGEST_FILE_BYTES);
  } catch (error) {
    const why = readFailure(error);
    if (why !== 'does not exist') {
      return fail({
        wrong: `the file ${why}`,
        remedy: 'make it a readable file, or name another with --config',
      });
    }
    const where = chosen ? '' : ', and neither CONFIG_PATH nor --config names another';
    return fail({
      wrong: `the file does not exist${where}`,
      remedy: `make one: echo 'target_url: https://api.openai.com' > ${file}`,
    });
  }
  if (bytes.length > LARGEST_FILE_BYTES) {
    return fail({ wrong: 'the file is larger than 1 MB', remedy: 'name a configuration file' });
  }
  try {
    // Also takes a byte order mark away.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const line = lineOfBadByte(bytes);
    problems.add({ file, line, column: 1 }, '', {
      wrong: 'the file is not UTF-8 text',
      remedy: 'save it as UTF-8',
    });
    return undefined;
  }
}

/** The first line that is not UTF-8, from 1. */
function lineOfBadByte(bytes: Buffer): number {
  let line = 1;
  let start = 0;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  while (start < bytes.length) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline;
    try {
      decoder.decode(bytes.subarray(start, end));
    } catch {
      return line;
    }
    start = end + 1;
    line += 1;
  }
  return 1;
}
