import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { MetricDefinition } from './definitions.ts';
import type { HistogramTally } from './histogram-tally.ts';

/** Labels in the order of the definition; undefined: absent. */
export type LabelValues = readonly (string | undefined)[];
/** One line of a counter or gauge. */
export type Sample = readonly [value: number, ...labels: LabelValues];
/** The lines of one histogram. */
export type Distribution = readonly [tally: HistogramTally, ...labels: LabelValues];

function labelsOf(names: readonly string[], values: LabelValues): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [place, name] of names.entries()) {
    const value = values[place];
    if (value !== undefined) labels[name] = value;
  }
  return labels;
}

/** Offers a counter or a gauge whose lines are read when somebody looks. */
export function offer(
  registry: Registry,
  { name, type, labels, meaning }: MetricDefinition,
  read: () => Iterable<Sample>,
): void {
  const head = { name, help: meaning, labelNames: [...labels], registers: [registry] };
  if (type === 'counter') {
    new Counter({
      ...head,
      collect() {
        this.reset();
        for (const [value, ...values] of read()) this.inc(labelsOf(labels, values), value);
      },
    });
  } else {
    new Gauge({
      ...head,
      collect() {
        this.reset();
        for (const [value, ...values] of read()) this.set(labelsOf(labels, values), value);
      },
    });
  }
}

/** Offers a histogram whose distributions are read when somebody looks. */
export function offerHistogram(
  registry: Registry,
  { name, labels, meaning, buckets = [] }: MetricDefinition,
  read: () => Iterable<Distribution>,
): void {
  new TalliedHistogram(
    { name, help: meaning, labelNames: [...labels], buckets: [...buckets], registers: [registry] },
    read,
  );
}

/**
 * A histogram that takes its numbers from tallies instead of single observations. The registry asks a histogram for its lines by
 * `getForPromString`, and so does its own `get`; prom-client's types leave that out.
 */
class TalliedHistogram extends Histogram {
  readonly #head: { readonly name: string; readonly help: string; readonly labelNames: readonly string[] };
  readonly #read: () => Iterable<Distribution>;

  constructor(
    head: { name: string; help: string; labelNames: string[]; buckets: number[]; registers: Registry[] },
    read: () => Iterable<Distribution>,
  ) {
    super(head);
    this.#head = head;
    this.#read = read;
  }

  async getForPromString() {
    const { name, help } = this.#head;
    return { name, help, type: 'histogram', aggregator: 'sum', values: [...this.#lines()] };
  }

  *#lines() {
    const { name, labelNames } = this.#head;
    for (const [{ bounds, counts, sum }, ...values] of this.#read()) {
      const sharedLabels = labelsOf(labelNames, values);
      let count = 0;
      for (const [place, bound] of bounds.entries()) {
        count += counts[place] ?? 0;
        yield { metricName: `${name}_bucket`, labels: { le: `${bound}` }, sharedLabels, value: count };
      }
      count += counts[bounds.length] ?? 0;
      yield { metricName: `${name}_bucket`, labels: { le: '+Inf' }, sharedLabels, value: count };
      yield { metricName: `${name}_sum`, labels: {}, sharedLabels, value: sum };
      yield { metricName: `${name}_count`, labels: {}, sharedLabels, value: count };
    }
  }
}
