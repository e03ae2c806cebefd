import { TOKEN } from './token.ts';

/** RFC 9110 §5.5: a line end in a value would begin another field, or another request. */
const NOT_IN_A_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const NOT_IN_A_PATH = /[^\x21-\x7e]/;

const knownNames = new Set<string>();
const MOST_NAMES_KEPT = 1_024;
const LONGEST_KEPT = 256;

function isName(name: string): boolean {
  if (knownNames.has(name)) return true;
  if (!TOKEN.test(name)) return false;
  if (name.length <= LONGEST_KEPT && knownNames.size < MOST_NAMES_KEPT) knownNames.add(name);
  return true;
}

/**
 * The head of a request, with the empty line at its end.
 * @throws TypeError if it would be no head, or more than one; the message repeats no value
 */
export function requestHead(
  { method, path, fields }: { method: string; path: string; fields: readonly string[] },
  host: string,
  bodyBytes: number,
): string {
  if (!path.startsWith('/') || NOT_IN_A_PATH.test(path)) throw new TypeError('The path is invalid.');
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (!isName(name)) throw new TypeError('The name of a header field is invalid.');
    if (NOT_IN_A_VALUE.test(value)) throw new TypeError(`The header ${name} has an invalid value.`);
    head += `${name}: ${value}\r\n`;
  }
  return `${head}content-length: ${bodyBytes}\r\n\r\n`;
}
