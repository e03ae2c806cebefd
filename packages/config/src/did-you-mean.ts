/** How many single-character edits, swaps of neighbours included, turn one name into the other. */
export function editDistance(from: string, to: string): number {
  // Three rows of the optimal string alignment matrix are enough.
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitution = (last[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, substitution);
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length] ?? 0;
}

/** Names longer than this are no typing errors, and comparing them would cost time. */
const LONGEST_NAME = 64;

/**
 * The known name that was probably meant: equal but for case and punctuation (`listenPort`, `listen-port`), or at most
 * two edits away (one for names of up to four characters). Undefined: nothing is near.
 */
export function nearestName(written: string, known: Iterable<string>): string | undefined {
  if (written.length > LONGEST_NAME) return undefined;
  const bare = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  let nearest: string | undefined;
  let nearestDistance = Number.POSITIVE_INFINITY;
  for (const name of known) {
    const distance =
      bare(written) === bare(name) ? 0 : editDistance(written.toLowerCase(), name.toLowerCase());
    const allowed = name.length <= 4 ? 1 : 2;
    if (distance <= allowed && distance < nearestDistance) {
      nearest = name;
      nearestDistance = distance;
    }
  }
  return nearest;
}

/**
 * Whether an unknown name may be repeated in a message. A mapping that slipped out of its indentation turns client
 * keys into names, so only what is made like a setting's name is shown: a few lower-case words.
 */
export function isShowable(name: string): boolean {
  return /^[a-z]{1,16}(_[a-z]{1,16}){0,5}$/.test(name);
}
