/** A JSON object whose fields nobody has looked at. */
export type Rec = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is Rec {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field that is a text; '' where it isn't. */
export function textIn(record: Rec, name: string): string {
  const value = record[name];
  return typeof value === 'string' ? value : '';
}

/** A field that is a number; 0 where it isn't. */
export function numberIn(record: Rec, name: string): number {
  const value = record[name];
  return typeof value === 'number' ? value : 0;
}
