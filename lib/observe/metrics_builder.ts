import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** All values each label of a family can take. */
type ClosedLabels<L extends string> = Readonly<Record<L, readonly string[]>>;

/**
 * Defines metric families in a registry of its own, so that two servers in one process do not meet.
 * Families with closed label sets show zeros before anything was counted.
 */
export class FamilyBuilder {
  readonly registry = new Registry();

  /** A counter with one zero per combination of label values. */
  counter<L extends string = never>(name: string, help: string, labels?: ClosedLabels<L>): Counter<L> {
    const family = new Counter<L>({ ...this.#shape(name, help, labels) });
    for (const combination of combinations(labels)) family.inc(combination, 0);
    return family;
  }

  /** A counter whose label values are not known beforehand: without samples until one is counted. */
  openCounter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter<L>({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }

  /** A gauge, without samples until one is set unless it has no labels. */
  gauge<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return new Gauge<L>({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }

  /** A histogram over `buckets` (upper bounds) with one empty series per combination of label values. */
  histogram<L extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: ClosedLabels<L>,
  ): Histogram<L> {
    const family = new Histogram<L>({ ...this.#shape(name, help, labels), buckets: [...buckets] });
    if (labels) { for (const combination of combinations(labels)) family.zero(combination); }
    return family;
  }

  #shape<L extends string>(name: string, help: string, labels: ClosedLabels<L> | undefined) {
    return { name, help, labelNames: Object.keys(labels ?? {}) as L[], registers: [this.registry] };
  }
}

function combinations<L extends string>(labels: ClosedLabels<L> | undefined): Record<L, string>[] {
  let all = [{}] as Record<L, string>[];
  for (const [label, values] of Object.entries(labels ?? {}) as [L, readonly string[]][]) {
    all = all.flatMap((known) => values.map((value) => ({ ...known, [label]: value })));
  }
  return all;
}
