import type { Git, Repositories } from "../git/mod.ts";
import type { CurationRules } from "../policy/mod.ts";
import type { ReleaseParts } from "../purgatory/mod.ts";
import type { KeyedLock } from "../world/mod.ts";

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
  /** Everything ends early when it aborts. */
  readonly signal: AbortSignal;
}
