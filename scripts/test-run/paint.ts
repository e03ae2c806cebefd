const CODES = { red: 31, green: 32, yellow: 33, bold: 1 };

/** Colours a word for a terminal, and leaves it alone in a file or a pipe (NO_COLOR: https://no-color.org). */
export function paint(colour: keyof typeof CODES, text: string): string {
  if (!process.stdout.isTTY || (process.env.NO_COLOR ?? '') !== '') return text;
  return `\u001b[${CODES[colour]}m${text}\u001b[0m`;
}
