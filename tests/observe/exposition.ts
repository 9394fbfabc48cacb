import assert from "node:assert/strict";

/** One family of a scrape. */
export interface Family {
  readonly type: string;
  /** Value by series, written `name{label="value",…}` with labels in alphabetical order. */
  readonly samples: Map<string, number>;
  readonly labelNames: Set<string>;
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?)|[+-]Inf)$/;

/** A strict reader of the Prometheus text format 0.0.4: what it does not know is a failed test. */
export function parseExposition(text: string): Map<string, Family> {
  assert.ok(text.endsWith("\n"), "the last line ends with a newline");
  const families = new Map<string, Family>();
  let help: string | undefined;
  let current: { name: string; family: Family } | undefined;
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const header = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (header?.[1] === "HELP") {
      help = header[2]!;
    } else if (header) {
      const name = header[2]!;
      assert.equal(name, help, `TYPE of ${name} follows its HELP`);
      assert.match(header[3]!, /^(?:counter|gauge|histogram)$/);
      assert.ok(!families.has(name), `${name} is described once`);
      current = { name, family: { type: header[3]!, samples: new Map(), labelNames: new Set() } };
      families.set(name, current.family);
    } else {
      assert.ok(current, `a sample before any family: ${line}`);
      addSample(current.name, current.family, line);
    }
  }
  for (const [name, family] of families) if (family.type === "histogram") checkHistogram(name, family);
  return families;
}

function addSample(name: string, family: Family, line: string): void {
  const [, sample, labels = "", value] = SAMPLE.exec(line) ?? assert.fail(`no sample: ${line}`);
  const suffix = sample!.slice(name.length);
  assert.ok(sample!.startsWith(name), `${sample} belongs to ${name}`);
  assert.ok(family.type === "histogram" ? /^_(bucket|sum|count)$/.test(suffix) : suffix === "", line);
  assert.match(value!, NUMBER, line);
  const pairs: string[] = [];
  let end = 0;
  for (LABEL.lastIndex = 0; end < labels.length; end = LABEL.lastIndex) {
    const [, label, text] = LABEL.exec(labels) ?? assert.fail(`labels of ${line}`);
    pairs.push(`${label}="${text}"`);
    if (label !== "le") family.labelNames.add(label!);
  }
  const series = pairs.length === 0 ? sample! : `${sample}{${pairs.sort().join(",")}}`;
  assert.ok(!family.samples.has(series), `${series} occurs once`);
  family.samples.set(series, value === "+Inf" ? Infinity : Number(value));
}

/** Buckets do not decrease and the last one is the count. */
function checkHistogram(name: string, { samples }: Family): void {
  let below = 0;
  for (const [series, value] of samples) {
    if (series.startsWith(`${name}_bucket`)) {
      assert.ok(value >= below, `${series} is cumulative`);
      below = value;
    } else if (series.startsWith(`${name}_count`)) {
      assert.equal(value, below, `${series} equals the +Inf bucket`);
      below = 0;
    }
  }
}

/** All series of a scrape with their values. */
export function seriesOf(text: string): Map<string, number> {
  return new Map([...parseExposition(text).values()].flatMap(({ samples }) => [...samples]));
}
