/** What `stream_options.include_usage` adds to every chunk but the last, as OpenAI writes it. */
const NULL_USAGE = Buffer.from(',"usage":null');
const KEY = Buffer.from('"usage"');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

export const NULL_USAGE_BYTES: number = NULL_USAGE.length;

function standsAt(block: Buffer, needle: Buffer, at: number): boolean {
  const end = at + needle.length;
  return at >= 0 && end <= block.length && needle.compare(block, at, end) === 0;
}

/**
 * Where `,"usage":null` stands at the top level of the JSON object in block[start, end), whose `usage` was
 * parsed as null. -1 where it is written otherwise (with blanks, as the first field, twice): then the bytes
 * are better left alone.
 */
export function findNullUsage(block: Buffer, start: number, end: number): number {
  const first = block.indexOf(KEY, start);
  if (first < 0 || first >= end) return -1;
  // Nearly always it is the last field: nothing before it, and the brace that ends the object right behind
  // it.
  const behind = first - 1 + NULL_USAGE_BYTES;
  if (behind === end - 1 && block[behind] === CLOSE_OBJECT && standsAt(block, NULL_USAGE, first - 1)) {
    return first - 1;
  }
  return findAtTop(block, start, end);
}

/**
 * Walks the whole (valid) JSON text for keys `usage` of the outermost object: found only if there is just
 * one.
 */
function findAtTop(block: Buffer, start: number, end: number): number {
  let depth = 0;
  let found = -1;
  for (let at = start; at < end; at++) {
    switch (block[at]) {
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        depth++;
        break;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        depth--;
        break;
      case QUOTE: {
        // A string value may read `usage` too, but only a key follows a comma or the opening brace directly.
        const before = block[at - 1];
        if (depth === 1 && standsAt(block, KEY, at) && (before === COMMA || before === OPEN_OBJECT)) {
          if (found >= 0) return -1;
          found = at - 1;
        }
        at++;
        while (at < end && block[at] !== QUOTE) at += block[at] === BACKSLASH ? 2 : 1;
        break;
      }
      default:
    }
  }
  return standsAt(block, NULL_USAGE, found) ? found : -1;
}
