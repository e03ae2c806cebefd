/**
 * A matcher for a model pattern: `*` stands for any characters, none included; everything else for itself, case too.
 * Takes time linear in the model's name for each part, whatever the pattern.
 */
export function modelMatcher(pattern: string): (model: string) => boolean {
  const parts = pattern.split('*');
  const head = parts[0] ?? '';
  const tail = parts.at(-1) ?? '';
  const middle = parts.slice(1, -1);
  if (parts.length === 1) return (model) => model === pattern;
  return (model) => {
    if (model.length < head.length + tail.length || !model.startsWith(head) || !model.endsWith(tail))
      return false;
    const end = model.length - tail.length;
    let from = head.length;
    for (const part of middle) {
      const at = model.indexOf(part, from);
      if (at === -1 || at + part.length > end) return false;
      from = at + part.length;
    }
    return true;
  };
}

/** Patterns stand in bucket names, logs and headers, so they hold nothing that any of these would trip over. */
export function isModelPattern(pattern: string): boolean {
  return /^[\w.*:@/+-]{1,128}$/.test(pattern);
}
