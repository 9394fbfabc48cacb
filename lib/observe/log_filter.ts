import type { LogLevel } from "./log.ts";

/** A level, or `off` for silence. */
export type LogThreshold = LogLevel | "off";

/** Which records are written: the least severe level per target, and for every other target. */
export interface LogFilter {
  readonly fallback: LogThreshold;
  readonly targets: ReadonlyMap<string, LogThreshold>;
}

/** Result of {@link parseLogFilter}; `problem` is the part of a sentence that follows the value. */
export type ParsedLogFilter =
  | { readonly ok: true; readonly filter: LogFilter; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problem: string };

/** Module names a filter may use. */
export const LOG_TARGETS = [
  "http",
  "git",
  "relay",
  "sync",
  "purgatory",
  "policy",
  "db",
  "jobs",
  "config",
] as const;

/** Target of records written without naming a module; also the old word for "all modules". */
export const PROGRAM_TARGET = "ngit_grasp";

const THRESHOLDS: readonly LogThreshold[] = ["off", "error", "warn", "info", "debug", "trace"];

/** Level of targets that a filter made only of `target=level` directives does not mention. */
const UNMENTIONED: LogThreshold = "info";

/**
 * Reads a log filter: a level, or comma-separated `target=level` directives with at most one bare
 * level for all other targets. Words in any case. `ngit_grasp` means all modules and
 * `ngit_grasp::sync` means `sync`; other unknown targets are ignored with one warning.
 */
export function parseLogFilter(text: string): ParsedLogFilter {
  const targets = new Map<string, LogThreshold>();
  const ignored: string[] = [];
  let fallback: LogThreshold | undefined;
  for (const directive of text.split(",").map((part) => part.trim()).filter((part) => part !== "")) {
    const [left, right, ...more] = directive.split("=").map((part) => part.trim());
    const level = thresholdOf(right ?? left ?? "");
    if (level === undefined || more.length > 0) {
      return { ok: false, problem: `expected levels ${THRESHOLDS.join("|")} or target=level` };
    }
    const target = right === undefined ? PROGRAM_TARGET : moduleOf(left ?? "");
    if (target === PROGRAM_TARGET) {
      if (right === undefined && fallback !== undefined) {
        return { ok: false, problem: "expected at most one level without a target" };
      }
      fallback = level;
    } else if ((LOG_TARGETS as readonly string[]).includes(target)) targets.set(target, level);
    else ignored.push(target);
  }
  if (fallback === undefined && targets.size === 0 && ignored.length === 0) {
    return { ok: false, problem: "expected a level" };
  }
  const warnings = ignored.length === 0
    ? []
    : [`log targets not known here are ignored: ${ignored.join(", ")}`];
  return { ok: true, filter: { fallback: fallback ?? UNMENTIONED, targets }, warnings };
}

/** True when a record of this target and level is written. */
export function passesFilter(filter: LogFilter, target: string, level: LogLevel): boolean {
  const threshold = filter.targets.get(target) ?? filter.fallback;
  return THRESHOLDS.indexOf(level) <= THRESHOLDS.indexOf(threshold);
}

function thresholdOf(word: string): LogThreshold | undefined {
  return THRESHOLDS.find((threshold) => threshold === word.toLowerCase());
}

function moduleOf(target: string): string {
  const path = target.toLowerCase().split("::");
  return path[0] === PROGRAM_TARGET && path[1] !== undefined ? path[1] : path[0] ?? "";
}
