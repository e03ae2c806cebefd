/** What makes a spreadsheet take a cell for a formula (OWASP, "CSV Injection"). */
const FORMULA = /^[\s]*[=+\-@\t\r\uff0b\uff0d\uff1d\uff20]/;

/**
 * One line of RFC 4180. Numbers stand as they are. Text that a spreadsheet would run as a formula begins with an apostrophe, and is quoted, as all
 * text with quotes, commas or line breaks is.
 */
export function csvLine(cells: readonly (string | number | bigint)[]): string {
  return `${cells.map(cell).join(',')}\r\n`;
}

function cell(value: string | number | bigint): string {
  if (typeof value !== 'string' || /^\d+(\.\d+)?$/.test(value)) return String(value);
  const isFormula = FORMULA.test(value);
  const safe = isFormula ? `'${value}` : value;
  return isFormula || /[",;\r\n\t]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Reads a text of RFC 4180: lines of cells. A byte order mark is skipped, and so are empty lines. */
export function readCsv(text: string): string[][] {
  const lines: string[][] = [];
  let line: string[] = [];
  let value = '';
  let isQuoted = false;
  const source = text.replace(/^\ufeff/, '');
  const endLine = () => {
    line.push(value);
    if (line.length > 1 || value !== '') lines.push(line);
    line = [];
    value = '';
  };
  for (let at = 0; at < source.length; at += 1) {
    const character = source[at] ?? '';
    if (isQuoted) {
      if (character !== '"') value += character;
      else if (source[at + 1] === '"') {
        value += '"';
        at += 1;
      } else isQuoted = false;
    } else if (character === '"' && value === '') isQuoted = true;
    else if (character === ',') {
      line.push(value);
      value = '';
    } else if (character === '\n') endLine();
    else if (character !== '\r') value += character;
  }
  endLine();
  return lines;
}
