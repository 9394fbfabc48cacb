/** What a row's measurements are compared with: a peer program, or a floor (the same work with parts left out). */
export interface Beside {
  readonly name: string;
  /** In the unit of the row; empty when it could not be measured. */
  readonly samples: readonly number[];
  /** Why there are no samples. */
  readonly missing?: string;
}

/** One measured row. */
export interface Measured {
  readonly row: string;
  /** `events/s`, `ms`, … */
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** What was done, in a few words. */
  readonly how: string;
  /** In `unit`, in the order of the runs. */
  readonly ours: readonly number[];
  readonly beside: readonly Beside[];
  /** Further results by name, the unit at its end (`p99Ms`, `serverCpuMs`): goals and `--json` read them. */
  readonly figures?: Readonly<Record<string, number>>;
}

/** A row that could not be measured stays in the table. */
export interface Failed {
  readonly error: string;
}

/** One row's outcome. */
export type Outcome = Measured | Failed;

/** The middle value, or the mean of the two middle values; NaN for none. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return sorted.length === 0 ? NaN : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How many times as good as `beside` we are; above 1 is better than it, whatever the unit. */
export function ratio(ours: number, beside: number, better: Measured["better"]): number {
  return better === "higher" ? ours / beside : beside / ours;
}

/** Three significant digits, thousands separated: `4,210`, `0.512`, `38.7`. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "-";
  return new Intl.NumberFormat("en-US", { maximumSignificantDigits: Math.abs(value) >= 1000 ? 4 : 3 })
    .format(value);
}

/** The outcomes, by the name `--rows` knows them by, as a Markdown table: one line per comparison. */
export function renderTable(outcomes: ReadonlyMap<string, Outcome>): string {
  const lines = [...outcomes].flatMap(([name, outcome]) =>
    "error" in outcome ? [failedLine(name, outcome)] : linesOf(name, outcome)
  );
  return [
    "| row | ours | beside | its value | ratio | how |",
    "|---|---:|---|---:|---:|---|",
    ...lines.map((cells) => `| ${cells.map(escapeCell).join(" | ")} |`),
  ].join("\n") + "\n";
}

/** How long the rows took, in seconds: together and one by one, in one line. */
export function renderDurations(seconds: Readonly<Record<string, number>>): string {
  const entries = Object.entries(seconds);
  const total = Math.round(entries.reduce((sum, [, took]) => sum + took, 0));
  const rows = entries.map(([name, took]) => `${name} ${Math.round(took)} s`);
  return `Took ${Math.floor(total / 60)} min ${total % 60} s: ${rows.join(", ")}.`;
}

function failedLine(name: string, { error }: Failed): string[] {
  return [`\`${name}\``, "failed", "", "", "", error];
}

function linesOf(name: string, { row, unit, better, how, ours, beside }: Measured): string[][] {
  const own = [`\`${name}\`: ${row}`, withSpread(ours, unit)];
  if (beside.length === 0) return [[...own, "", "", "", how]];
  return beside.map(({ name, samples, missing }, index) => [
    ...(index === 0 ? own : ["", ""]),
    name,
    missing === undefined ? withSpread(samples, unit) : "not measured",
    missing === undefined ? formatNumber(ratio(median(ours), median(samples), better)) : "",
    [index === 0 ? how : "", missing ?? ""].filter(Boolean).join("; "),
  ]);
}

function withSpread(samples: readonly number[], unit: string): string {
  const value = `${formatNumber(median(samples))} ${unit}`;
  if (samples.length < 2) return value;
  return `${value} (${formatNumber(Math.min(...samples))}–${formatNumber(Math.max(...samples))})`;
}

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll(/\s*\n\s*/g, " ");
}
