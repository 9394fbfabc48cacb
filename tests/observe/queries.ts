import assert from "node:assert/strict";
import { createFamilies } from "../../lib/observe/metrics_families.ts";

/** Labels Prometheus adds to what it scrapes. */
const SCRAPED = ["instance"];

/** What the registry knows of one family. */
export interface Known {
  readonly type: string;
  readonly labelNames: readonly string[];
  /** Values seen on a fresh registry: complete for closed label sets, empty for open ones. */
  readonly values: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Every family of a fresh registry. */
export async function registry(): Promise<ReadonlyMap<string, Known>> {
  const { registry } = createFamilies();
  const known = new Map<string, Known>();
  for (const metric of await registry.getMetricsAsJSON()) {
    const single = registry.getSingleMetric(metric.name) as unknown as { labelNames: readonly string[] };
    const values = new Map<string, Set<string>>();
    for (const { labels } of metric.values) {
      for (const [label, value] of Object.entries(labels)) {
        values.set(label, (values.get(label) ?? new Set()).add(String(value)));
      }
    }
    known.set(metric.name, { type: String(metric.type), labelNames: single.labelNames, values });
  }
  return known;
}

/** Names of the families in a query; fails on a name, label or label value the registry does not have. */
export function familiesOf(query: string, known: ReadonlyMap<string, Known>, legend = ""): Set<string> {
  const found = new Set<string>();
  const labels = new Set<string>(["le", ...SCRAPED]);
  for (const [, name, matchers = ""] of query.matchAll(/\b(ngit_\w+)(?:\{([^}]*)\})?/g)) {
    const base = name!.replace(/_(?:bucket|sum|count)$/, "");
    const family = known.get(name!) ?? known.get(base);
    assert.ok(family, `${name} exists: ${query}`);
    const isHistogram = family.type === "histogram";
    assert.equal(isHistogram, !known.has(name!), `${name} is written as its type asks for: ${query}`);
    found.add(known.has(name!) ? name! : base);
    for (const label of family.labelNames) labels.add(label);
    for (const [, label, operator, value] of matchers.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)) {
      if (SCRAPED.includes(label!)) continue;
      assert.ok(family.labelNames.includes(label!), `${name} has a label ${label}`);
      const values = family.values.get(label!);
      const isPlain = operator === "=" || operator === "!=";
      if (values && isPlain) assert.ok(values.has(value!), `${name} has ${label}="${value}"`);
    }
  }
  const grouped = [...query.matchAll(/\b(?:by|without) \(([^)]*)\)/g)].flatMap(([, list]) =>
    list!.split(/,\s*/)
  );
  const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
  for (const label of [...grouped, ...shown]) assert.ok(labels.has(label), `label ${label} of ${query}`);
  // After an aggregation only the labels it keeps can be shown.
  if (/^sum\b/.test(query)) {
    for (const label of shown) assert.ok(grouped.includes(label), `${label}: ${query}`);
  }
  return found;
}
