import type { Clock } from "../../lib/world/mod.ts";

/** A configuration with one fault, and how the fault has to be reported. */
export interface Case {
  readonly name: string;
  readonly id: string;
  readonly says: RegExp;
  /** What the working directory holds beforehand. */
  readonly prepare?: (cwd: string) => Promise<unknown>;
  readonly dotenv?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  /** Another check that may fail with it. */
  readonly also?: string;
  /** A failure unless given. */
  readonly status?: "warn";
}

/** The key the checks are given unless a case says otherwise. */
export const KEY = "1".repeat(64);

/** Writes a file into the working directory of a case. */
export function file(name: string, text: string, mode = 0o600): (cwd: string) => Promise<void> {
  return (cwd) => Deno.writeTextFile(`${cwd}/${name}`, text, { mode });
}
