import { ok, strictEqual } from "node:assert/strict";
import {
  formatNumber,
  median,
  type Outcome,
  ratio,
  renderDurations,
  renderTable,
} from "../../bench/table.ts";

Deno.test("the median is the middle sample, or the mean of the two middle ones", () => {
  strictEqual(median([9, 1, 5]), 5);
  strictEqual(median([4, 1, 3, 100]), 3.5);
  ok(Number.isNaN(median([])));
});

Deno.test("a ratio above 1 means that ours is better, whatever the unit", () => {
  strictEqual(ratio(200, 100, "higher"), 2);
  strictEqual(ratio(200, 100, "lower"), 0.5);
});

Deno.test("numbers are rounded to what can be read", () => {
  strictEqual(formatNumber(4210.4), "4,210");
  strictEqual(formatNumber(0.51234), "0.512");
  strictEqual(formatNumber(NaN), "-");
});

Deno.test("the table has one line per comparison, and keeps failures and missing peers", () => {
  const table = renderTable(
    new Map<string, Outcome>([
      ["events", {
        row: "events in",
        unit: "events/s",
        better: "higher",
        how: "a | b",
        ours: [100, 300, 200],
        beside: [{ name: "store", samples: [400] }, { name: "peer", samples: [], missing: "not installed" }],
      }],
      ["clone", { error: "git said\nno" }],
    ]),
  );
  strictEqual(
    table,
    `| row | ours | beside | its value | ratio | how |
|---|---:|---|---:|---:|---|
| \`events\`: events in | 200 events/s (100–300) | store | 400 events/s | 0.5 | a \\| b |
|  |  | peer | not measured |  | not installed |
| \`clone\` | failed |  |  |  | git said no |
`,
  );
});

Deno.test("how long the rows took stands in one line, with the sum", () => {
  strictEqual(renderDurations({ events: 61.4, hunt: 59.9 }), "Took 2 min 1 s: events 61 s, hunt 60 s.");
});
