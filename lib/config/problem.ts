/** Checks of `--check-config` that judge options alone. */
export type OptionCheck = "options" | "unknown" | "domain" | "key" | "lists" | "exclusions" | "sync-url";

/** One reason not to start. */
export interface Problem {
  readonly check: OptionCheck;
  /** Option it concerns, when it is a single one. */
  readonly option?: string;
  /** A sentence without secrets, on one line. */
  readonly message: string;
  /** `cli`, `env`, or file and line (`.env:12`). */
  readonly source?: string;
  /** 2 for usage (flags, values of the wrong form), 1 for everything else. */
  readonly exitCode: 1 | 2;
}

/** Something the operator should know, which does not prevent a start. */
export interface Notice {
  readonly check: OptionCheck;
  readonly message: string;
}

/** The line printed for a problem. */
export function formatProblem(problem: Problem): string {
  return problem.source === undefined ? problem.message : `${problem.message} (from ${problem.source})`;
}
