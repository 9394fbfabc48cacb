import type { Git, Repositories } from "../git/mod.ts";
import type { CurationRules } from "../policy/mod.ts";
import type { ReleaseParts } from "../purgatory/mod.ts";
import { freeBytes, type KeyedLock } from "../world/mod.ts";

/** How much of the machine maintenance takes: all it gets, or a share with rests in between. */
export type Pace = "brisk" | "gentle";

/** What maintenance works on. */
export interface MaintenanceParts extends ReleaseParts {
  readonly git: Git;
  readonly repositories: Repositories;
  /** The locks pushes and events take: one per identifier. */
  readonly locks: KeyedLock;
  readonly rules: CurationRules;
  readonly pace: Pace;
  /** Bytes of disk that work on repositories may take now. */
  readonly room: () => Promise<number>;
  /** Everything ends early when it aborts. */
  readonly signal: AbortSignal;
}

const MEBIBYTE = 1 << 20;

/** Bytes on the disk of `path` that work may take when `minFreeMb` MiB stay free; with 0 nobody looks. */
export async function roomOf(path: string, minFreeMb: number): Promise<number> {
  return minFreeMb === 0 ? Infinity : await freeBytes(path) - minFreeMb * MEBIBYTE;
}
