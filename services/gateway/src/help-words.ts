/** What asks for help where a command could stand. */
export const HELP_WORDS: ReadonlySet<string> = new Set(['-help', '--help', '-h', 'help']);

/** Whether an argument asks for the help of a command. */
export function isHelp(arg: string): boolean {
  return HELP_WORDS.has(arg) && arg !== 'help';
}
