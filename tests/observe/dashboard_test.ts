import assert from "node:assert/strict";
import { createFamilies } from "../../lib/observe/metrics_families.ts";

const DASHBOARD = new URL("../../docs/grafana/ngit-grasp.json", import.meta.url);
const MONITORING = new URL("../../docs/monitoring.md", import.meta.url);
/** Labels Prometheus adds to what it scrapes. */
const SCRAPED = ["instance"];
/** Families without a panel, each for a reason; the test fails when one of them gets one. */
const WITHOUT_PANEL: readonly string[] = [];

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Dashboard {
  readonly uid: string;
  readonly refresh: string;
  readonly time: { readonly from: string };
  readonly templating: { readonly list: readonly { readonly name: string }[] };
  readonly panels: readonly Panel[];
}

/** What the registry knows of one family. */
interface Known {
  readonly type: string;
  readonly labelNames: readonly string[];
  /** Values seen on a fresh registry: complete for closed label sets, empty for open ones. */
  readonly values: ReadonlyMap<string, ReadonlySet<string>>;
}

async function registry(): Promise<ReadonlyMap<string, Known>> {
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
function familiesOf(query: string, known: ReadonlyMap<string, Known>, legend = ""): Set<string> {
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

async function dashboard(): Promise<Dashboard> {
  return JSON.parse(await Deno.readTextFile(DASHBOARD)) as Dashboard;
}

Deno.test("M-18 every query of the dashboard names metrics and labels that exist", async () => {
  const known = await registry();
  for (const { title, type, targets = [] } of (await dashboard()).panels) {
    assert.equal(targets.length === 0, type === "row", title);
    for (const { expr, legendFormat } of targets) {
      assert.ok(familiesOf(expr, known, legendFormat).size > 0, `${title}: ${expr}`);
      const selectors = expr.match(/ngit_\w+(\{[^}]*\})?/g) ?? [];
      assert.ok(selectors.every((text) => text.includes('instance=~"$instance"')), `${title}: ${expr}`);
    }
  }
});

Deno.test("every metric family has a panel or is listed as left out", async () => {
  const known = await registry();
  const shown = new Set(
    (await dashboard()).panels.flatMap(({ targets = [] }) =>
      targets.flatMap(({ expr }) => [...familiesOf(expr, known)])
    ),
  );
  assert.deepEqual([...known.keys()].filter((name) => !shown.has(name)), WITHOUT_PANEL);
});

Deno.test("the dashboard has the shape Grafana imports: variables, distinct ids, panels that do not overlap", async () => {
  const { uid, refresh, time, templating, panels } = await dashboard();
  assert.deepEqual([uid, refresh, time.from], ["ngit-grasp", "30s", "now-6h"]);
  assert.deepEqual(templating.list.map(({ name }) => name), ["datasource", "instance"]);
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const cells = new Set<string>();
  for (const { title, gridPos: { x, y, w, h } } of panels) {
    assert.ok(x >= 0 && x + w <= 24, title);
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        assert.ok(!cells.has(`${column} ${line}`), `${title} overlaps`);
        cells.add(`${column} ${line}`);
      }
    }
  }
});

Deno.test("M-18 every alert of the monitoring page names metrics, labels and values that exist", async () => {
  const known = await registry();
  const page = await Deno.readTextFile(MONITORING);
  assert.ok(page.split("\n").length <= 120);
  const queries = [...page.matchAll(/^\s+expr: (.+)$/gm)].map(([, query]) => query!);
  assert.ok(queries.length >= 10);
  for (const query of queries) familiesOf(query.replace(/^'|'$/g, ""), known);
  const named = [...page.matchAll(/`(ngit_\w+)`/g)].map(([, name]) => name!);
  for (const name of named) assert.ok(known.has(name), name);
});
