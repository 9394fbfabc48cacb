import { PROGRAM_COMMIT, PROGRAM_NAME, PROGRAM_VERSION, type ResolvedOption } from "../config/mod.ts";
import type { CheckResult, CheckStatus } from "./check_result.ts";

const STATUS: Readonly<Record<CheckStatus, string>> = {
  ok: "pass",
  warn: "warn",
  FAIL: "fail",
  skip: "skip",
};

/** The report of `--check-config --format json`: one object, without secrets. */
export function checkJson(
  results: readonly CheckResult[],
  options: readonly ResolvedOption[],
  permissions: readonly string[],
): string {
  const report = {
    ok: results.every(({ status }) => status !== "FAIL"),
    program: {
      name: PROGRAM_NAME,
      version: PROGRAM_VERSION,
      commit: PROGRAM_COMMIT ?? "unknown",
      deno: Deno.version.deno,
    },
    checks: results.map(({ id, status, message, hint }) => ({
      id,
      status: STATUS[status],
      message,
      ...(hint !== undefined && { hint }),
    })),
    options: options.map((option) => ({
      name: option.flag.replace(/^--/, ""),
      flag: option.flag,
      env: option.name,
      value: option.value === "-" ? null : option.value,
      source: option.source,
      ...(option.sourceDetail !== option.source && { source_detail: option.sourceDetail }),
      redacted: option.redacted,
      active: option.active,
      reloadable: option.reloadable,
    })),
    permissions,
  };
  return JSON.stringify(report, null, 2) + "\n";
}

/** What people should see although the report goes to a program: everything that is not in order. */
export function troubleText(results: readonly CheckResult[]): string {
  return results.filter(({ status }) => status === "warn" || status === "FAIL")
    .map(({ id, status, message }) => `${status} ${id}: ${message}\n`).join("");
}
