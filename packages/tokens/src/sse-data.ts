const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const DATA = [0x64, 0x61, 0x74, 0x61] as const;

/** Where the data of a block stands. */
export interface DataPlace {
  /** Its `data` lines. Only where this is 1 do `start` and `end` frame the data as it stands in the block. */
  lines: number;
  start: number;
  end: number;
}

/** The end of the line from `at`, before what ends it. */
function lineEnd(block: Buffer, at: number, hasCr: boolean): number {
  const lf = block.indexOf(LF, at);
  const end = lf < 0 ? block.length : lf;
  if (!hasCr) return end;
  for (let i = at; i < end; i++) if (block[i] === CR) return i;
  return end;
}

function isDataLine(block: Buffer, at: number, end: number): boolean {
  if (
    block[at] !== DATA[0] ||
    block[at + 1] !== DATA[1] ||
    block[at + 2] !== DATA[2] ||
    block[at + 3] !== DATA[3]
  ) {
    return false;
  }
  return at + 4 === end || (at + 4 < end && block[at + 4] === COLON);
}

/**
 * The data of one block: the values of its `data` lines, joined by LF (WHATWG HTML §9.2.6), or undefined if
 * it has none, as comments and heartbeats do. `place` is filled in. `from`: where the first line begins,
 * behind a byte order mark.
 */
export function readData(block: Buffer, from: number, place: DataPlace): string | undefined {
  place.lines = 0;
  const hasCr = block.indexOf(CR, from) >= 0;
  let more: string[] | undefined;
  let at = from;
  while (at < block.length) {
    const end = lineEnd(block, at, hasCr);
    if (isDataLine(block, at, end)) {
      let start = Math.min(at + 5, end);
      if (start < end && block[start] === SPACE) start++;
      if (place.lines === 0) {
        place.start = start;
        place.end = end;
      } else {
        more ??= [block.toString('utf8', place.start, place.end)];
        more.push(block.toString('utf8', start, end));
      }
      place.lines++;
    }
    at = end + 1;
  }
  if (place.lines === 0) return undefined;
  return more === undefined ? block.toString('utf8', place.start, place.end) : more.join('\n');
}
