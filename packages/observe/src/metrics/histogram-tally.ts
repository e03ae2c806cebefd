/** A histogram's numbers alone: what is added to for each request, without labels. */
export class HistogramTally {
  readonly bounds: readonly number[];
  /** Observations up to each bound and above the one before; the last is what lies above all. */
  readonly counts: Float64Array;
  sum = 0;

  /** @param bounds rising */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** Anything but a finite number ≥ 0 is ignored. */
  observe(value: number): void {
    if (!(value >= 0) || value === Number.POSITIVE_INFINITY) return;
    const { bounds, counts } = this;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= (bounds[middle] ?? 0)) high = middle;
      else low = middle + 1;
    }
    counts[low] = (counts[low] ?? 0) + 1;
    this.sum += value;
  }

  observeMs(valueMs: number | undefined): void {
    if (valueMs !== undefined) this.observe(valueMs / 1000);
  }

  /** Both together; neither changes. They must have the same bounds. */
  plus(other: HistogramTally): HistogramTally {
    const both = new HistogramTally(this.bounds);
    for (const [place, count] of this.counts.entries())
      both.counts[place] = count + (other.counts[place] ?? 0);
    both.sum = this.sum + other.sum;
    return both;
  }
}
