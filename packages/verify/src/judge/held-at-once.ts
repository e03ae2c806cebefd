/** A time during which a slot was certainly held. */
export interface HeldSlot {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The most slots that were held at the same time, and the first time when it was so. */
export interface MostAtOnce extends HeldSlot {
  readonly slots: number;
}

/** How many slots were held at once, at most; a slot that ends when another begins leaves its place to it. */
export function mostAtOnce(held: readonly HeldSlot[]): MostAtOnce {
  const real = held.filter(({ fromMs, toMs }) => toMs > fromMs);
  const edges = real.flatMap(({ fromMs, toMs }) => [
    { atMs: fromMs, change: 1 },
    { atMs: toMs, change: -1 },
  ]);
  edges.sort((a, b) => a.atMs - b.atMs || a.change - b.change);
  let slots = 0;
  let most: MostAtOnce = { slots: 0, fromMs: 0, toMs: 0 };
  for (const [index, { atMs, change }] of edges.entries()) {
    slots += change;
    if (slots > most.slots) most = { slots, fromMs: atMs, toMs: edges[index + 1]?.atMs ?? atMs };
  }
  return most;
}
