import type { GitData } from "../git/mod.ts";
import type { NostrEvent } from "../nostr/mod.ts";
import type { Logger, PurgatoryGroup } from "../observe/mod.ts";
import type { Blacklists } from "../policy/mod.ts";
import type { Store } from "../store/mod.ts";
import type { Clock } from "../world/mod.ts";
import type { ContributionUsage } from "./contribution_usage.ts";
import type { IdleContributions } from "./idle_contributions.ts";
import type { Pins } from "./pins.ts";

/** Told about every event that became servable, once, after its commit, in order. */
export type Notify = (event: NostrEvent) => void;

/** Why an event expired without its git data: servers lacked it, or none could be reached. */
export type ExpiryCause = "missing" | "unreachable";

/** How contributors' repositories are offered (GRASP-06). */
export interface ContributionRules {
  /** Normalised domain of this service: what `clone` tags have to name. */
  readonly domain: string;
  /** How long a pushed ref waits for its event, in milliseconds. */
  readonly unclaimedMs: number;
  /** Repositories to be removed once nobody uses them. */
  readonly idle: IdleContributions;
  /** What they take on disk. */
  readonly usage: ContributionUsage;
}

/** Parts a release works with. */
export interface ReleaseParts {
  readonly store: Store;
  readonly repositories: GitData;
  /** What running pushes rely on. */
  readonly pins: Pins;
  readonly clock: Clock;
  readonly notify: Notify;
  /** The operator's lists may have changed since something began to wait. */
  readonly rules: Blacklists;
  readonly counters: PurgatoryGroup;
  /** Why the git data of a waiting event did not come; `missing` when nobody knows. */
  readonly expiryCause?: (event: NostrEvent) => ExpiryCause;
  /** Undefined when contributors' repositories are not offered: what is on disk stays untouched then. */
  readonly contributions?: ContributionRules;
  readonly log: Logger;
}
