// JSON as text, made without intermediate objects: a log line is built on the path of every request.

const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/**
 * Characters that JSON allows in a string but that break what reads logs: DEL and the C1 controls (terminals), U+2028 and
 * U+2029 (line ends in JavaScript and some log readers), the byte order mark and the marks that turn the direction of
 * text, with which a line can be made to show something else than it says (Unicode TR 36 §2.5).
 */
const TREACHEROUS = /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\ufeff]/g;

/** The text as a JSON string with its quotes: one line, well-formed Unicode, no control or direction characters. */
export function jsonString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(
    TREACHEROUS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A finite number as JSON, anything else as `null`. */
export function jsonNumber(value: number): string {
  return Number.isFinite(value) ? `${value}` : 'null';
}

/** What stands behind the whole milliseconds, by hundredths: nothing, `.01` to `.99`, without a 0 at the end. */
const HUNDREDTHS = Array.from({ length: 100 }, (_, count) => `${count / 100}`.slice(1));
/** So many hundredths are cut into two small integers, whose texts V8 keeps; a fraction's it would make anew. */
const MOST_CUT = 2 ** 30;

/** Milliseconds to a hundredth: finer than any clock difference that a log is read for. */
export function jsonMs(value: number): string {
  const hundredths = Math.round(value * 100);
  if (!(hundredths >= 0 && hundredths < MOST_CUT)) return jsonNumber(hundredths / 100);
  return `${Math.floor(hundredths / 100)}${HUNDREDTHS[hundredths % 100]}`;
}

let lastMs = Number.NaN;
let lastText = '';

/** The time in ISO 8601, UTC, with milliseconds. Times that no calendar has become the start of 1970. */
export function isoTime(nowMs: number): string {
  if (nowMs !== lastMs) {
    const date = new Date(nowMs);
    lastText = (Number.isNaN(date.getTime()) ? new Date(0) : date).toISOString();
    lastMs = nowMs;
  }
  return lastText;
}
