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
export { Pins } from "./pins.ts";
export type { ExpiryCause, Notify, PurgatoryCounters, PurgatoryType, ReleaseParts } from "./ports.ts";
export { commitHolder, relevantRepositories } from "./pull_requests.ts";
export { pullRequestLock, type PushSurroundings, StatePushGate } from "./push_gate.ts";
export { release } from "./release.ts";
export { startPurgatory } from "./start.ts";
export { Sweep, type SweepResult } from "./sweep.ts";
