/** Milliseconds in each unit of a duration. */
const DURATION_UNITS = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** Bytes in each unit of a size: powers of 1024, as nginx and Express read them. */
const SIZE_UNITS = new Map([
  ['B', 1],
  ['KB', 1_024],
  ['MB', 1_048_576],
  ['GB', 1_073_741_824],
]);

/** `250ms`, `10s`, `5m`, `2h`, `400d` in milliseconds; undefined if it isn't a duration of whole milliseconds. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, /^(\d{1,15}(?:\.\d{1,6})?)(ms|s|m|h|d)$/, DURATION_UNITS);
}

/** `10MB`, `512KB`, `100B`, `1GB` in bytes, units in any case; undefined if it isn't a size of whole bytes. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text.toUpperCase(), /^(\d{1,15}(?:\.\d{1,6})?)(B|KB|MB|GB)$/, SIZE_UNITS);
}

function parseQuantity(text: string, form: RegExp, units: ReadonlyMap<string, number>): number | undefined {
  const [, digits, unit] = form.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  const product = Number(digits) * (units.get(unit) ?? Number.NaN);
  const whole = Math.round(product);
  // 1.1s is 1100.0000000000002 in binary floating point.
  return Math.abs(product - whole) < 1e-6 && Number.isSafeInteger(whole) ? whole : undefined;
}

/** A whole number ≥ 0 as YAML, the environment or a flag gives it: a number, or plain decimal digits. */
export function parseWhole(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  if (typeof value === 'string' && /^\d{1,16}$/.test(value)) {
    const whole = Number(value);
    return Number.isSafeInteger(whole) ? whole : undefined;
  }
  return undefined;
}

/** US dollars as a number or plain decimal digits, in integer nano-dollars; undefined if it isn't such, or has more than nine decimals. */
export function parseUsd(value: unknown): number | undefined {
  const text = typeof value === 'number' ? decimals(value) : value;
  const [, dollars, nano = ''] =
    (typeof text === 'string' && /^(\d{1,16})(?:\.(\d{1,9}))?$/.exec(text)) || [];
  return dollars === undefined ? undefined : Number(dollars) * 1e9 + Number(nano.padEnd(9, '0'));
}

/** A number's decimals; those below a millionth, such as 5e-7, too. */
function decimals(value: number): string {
  const fixed = value.toFixed(9);
  return value < 1e-6 && Number(fixed) === value ? fixed : String(value);
}
