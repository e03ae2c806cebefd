/**
 * What a model's name says by its shape alone. Only closed shapes are taken off a name (a date, a fine-tune's owner, a
 * cloud's region): a name that merely begins like another is another model.
 */

/** Names are compared as this; no API tells models apart by case. */
export function plainName(model: string): string {
  return model.trim().toLowerCase();
}

const DATED = /^(.+?)[-@](20\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])$/;

/** `gpt-4o-2024-08-06`, `claude-sonnet-4-5@20250929` → the name without its date; undefined if it has none. */
export function undatedName(name: string): string | undefined {
  const match = DATED.exec(name);
  if (match === null) return undefined;
  const [, base, year, month, day] = match;
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return date.getUTCDate() === Number(day) ? base : undefined;
}

/** `ft:gpt-4o-mini-2024-07-18:org:suffix:id` → `ft:gpt-4o-mini-2024-07-18`; undefined for anything else. */
export function fineTunedName(name: string): string | undefined {
  return /^(ft:[^:]+):/.exec(name)?.[1];
}

const BEDROCK_VERSION = /-v\d+(:\d+)?$/;
const BEDROCK_REGION = /^(us-gov|us|eu|apac|jp|au|ca|in|global)\./;
const BEDROCK_VENDOR = /^anthropic\./;

/** The names that a catalogue may list a model under, the most exact first: as it is, and undated. */
export function listedNames(name: string): string[] {
  return withUndated([fineTunedName(name) ?? name]);
}

/** The same for Amazon Bedrock, which puts more around a name: `us.anthropic.claude-3-5-haiku-20241022-v1:0`. */
export function bedrockNames(name: string): string[] {
  const names = [name];
  for (const pattern of [BEDROCK_VERSION, BEDROCK_REGION, BEDROCK_VENDOR]) {
    const longer = names.at(-1) ?? name;
    const shorter = longer.replace(pattern, '');
    if (shorter !== longer) names.push(shorter);
  }
  return withUndated(names);
}

function withUndated(names: readonly string[]): string[] {
  return [...names, ...names.map(undatedName).filter((name) => name !== undefined)];
}
