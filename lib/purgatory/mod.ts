/** Doors 2 and 3: git data that arrived releases what waited for it, and time ends the waiting. */
export { readDisk } from "./completeness.ts";
export { applyEffects } from "./executor.ts";
export {
  eventOf,
  type Fields,
  fieldsOf,
  importLegacyFile,
  isAbout,
  type LegacyFile,
  type LegacyReader,
  secondsOf,
  slices,
} from "./legacy_file.ts";
export { importLegacyState, type LegacyStateParts } from "./legacy_state.ts";
export { announcementPin, Pins, pullRequestPin, repositoryPin, statePin } from "./pins.ts";
export type { ContributionRules, ExpiryCause, Notify, ReleaseParts } from "./ports.ts";
export { clearPullRequestRef, commitHolder, relevantRepositories } from "./pull_requests.ts";
export {
  ContributionGate,
  type ContributionLimits,
  type ContributionSurroundings,
} from "./contribution_gate.ts";
export { contributionRules } from "./contribution_rules.ts";
export { type ContributionCaps, ContributionUsage } from "./contribution_usage.ts";
export { clearContribution, contributionRef, contributionsOf } from "./contributions.ts";
export { gates } from "./gates.ts";
export { holdsRepository } from "./hidden.ts";
export { IdleContributions } from "./idle_contributions.ts";
export { pullRequestLock } from "./lock_keys.ts";
export { applyBlacklists, type ModerationParts, type ModerationResult } from "./moderation.ts";
export { PushRate } from "./push_rate.ts";
export { type PushSurroundings, StatePushGate } from "./push_gate.ts";
export { release } from "./release.ts";
export { startPurgatory } from "./start.ts";
export { startContributions } from "./start_contributions.ts";
export { Sweep, type SweepResult } from "./sweep.ts";
