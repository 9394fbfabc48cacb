import assert from "node:assert/strict";
import { parse } from "yaml";
import { familiesOf, registry } from "./queries.ts";

const DASHBOARD = new URL("../../docs/grafana/ngit-grasp.json", import.meta.url);
const ALERTS = new URL("../../docs/grafana/alerts.yaml", import.meta.url);
const MONITORING = new URL("../../docs/monitoring.md", import.meta.url);
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

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

async function alerts(): Promise<readonly Alert[]> {
  const file = parse(await Deno.readTextFile(ALERTS)) as { readonly groups: { readonly rules: Alert[] }[] };
  return file.groups.flatMap(({ rules }) => rules);
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

Deno.test("M-18 every alert names metrics, labels and values that exist, and labels its query keeps", async () => {
  const known = await registry();
  for (const { alert, expr, annotations } of await alerts()) {
    const foreign = /^(?:up|probe_success)\{job="ngit-grasp(?:-ready)?"\} == 0$/.test(expr);
    const shown = [...annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => `{{${label}}}`);
    const families = familiesOf(expr, known, foreign ? "" : shown.join(""));
    assert.equal(families.size === 0, foreign, `${alert}: ${expr}`);
    const kept = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(/,\s*/);
    const isLost = kept ? shown.filter((label) => !kept.includes(label.slice(2, -2))) : [];
    assert.deepEqual(isLost, [], alert);
  }
});

Deno.test("the alert file has the shape Prometheus loads: names once, durations, severities, a summary", async () => {
  const rules = await alerts();
  assert.ok(rules.length >= 16);
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  for (const { alert, for: wait = "0m", labels, annotations } of rules) {
    assert.match(alert, /^[A-Z][A-Za-z]+$/);
    assert.match(wait, /^\d+[mhd]$/, alert);
    assert.ok(["critical", "warning", "info"].includes(labels.severity), alert);
    assert.ok(annotations.summary.length > 0, alert);
  }
});

Deno.test("the monitoring page names only alerts and metrics that exist, and fits a screen or two", async () => {
  const known = await registry();
  const names = new Set((await alerts()).map(({ alert }) => alert));
  const page = await Deno.readTextFile(MONITORING);
  assert.ok(page.split("\n").length <= 120);
  for (const [, name] of page.matchAll(/`(ngit_\w+)/g)) {
    if (!name!.endsWith("_")) assert.ok(known.has(name!), `${name}`);
  }
  const firstColumn = [...page.matchAll(/^\| ([^|]+) \|/gm)].map(([, cell]) => cell!).join(" ");
  for (const [, name] of firstColumn.matchAll(/`([A-Z][a-z]\w+)`/g)) assert.ok(names.has(name!), `${name}`);
});
