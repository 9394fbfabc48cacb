import { OPTION_GROUPS, type ResolvedOption } from "../config/mod.ts";

/** Outcome of one check. */
export type CheckStatus = "ok" | "warn" | "FAIL" | "skip";

/** One line of the check table. */
export interface CheckResult {
  readonly id: string;
  readonly status: CheckStatus;
  /** One line without secrets. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** Builders of results of the check `id`. */
export function resultsOf(
  id: string,
): Record<"ok" | "warn" | "fail" | "skip", (message: string) => CheckResult> {
  const as = (status: CheckStatus) => (message: string): CheckResult => ({ id, status, message });
  return { ok: as("ok"), warn: as("warn"), fail: as("FAIL"), skip: as("skip") };
}

/** Message of a caught value, without the stack. */
export function causeOf(error: unknown): string {
  return error instanceof Error ? error.message.split("\n", 1)[0]! : String(error);
}

/** The table of checks, then the effective values by group. */
export function renderCheck(results: readonly CheckResult[], options: readonly ResolvedOption[]): string {
  const sections = OPTION_GROUPS.map((group) => {
    const shown = options.filter((option) =>
      option.group === group && (!option.hidden || option.source !== "default")
    );
    const rows = shown.map((option) => [
      option.name,
      option.value,
      option.active ? option.sourceDetail : `${option.sourceDetail} (inactive)`,
    ]);
    return `${group}\n${table([["OPTION", "VALUE", "SOURCE"], ...rows])}`;
  });
  return [renderResults(results), ...sections].join("\n");
}

/** The table of checks alone. */
export function renderResults(results: readonly CheckResult[]): string {
  const rows = results.map(({ id, status, message }) => [id, status, message]);
  return table([["CHECK", "STATUS", "MESSAGE"], ...rows]);
}

/** Widest padded column; a longer cell pushes its own row only. */
const MAX_COLUMN = 60;

function table(rows: readonly (readonly string[])[]): string {
  const widths = [0, 1].map((column) =>
    Math.min(MAX_COLUMN, Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  );
  const lines = rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()
  );
  return lines.join("\n") + "\n";
}
