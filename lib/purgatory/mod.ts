/** Doors 2 and 3: git data that arrived releases what waited for it, and time ends the waiting. */
export { applyEffects } from "./executor.ts";
export { readDisk } from "./completeness.ts";
export { Pins } from "./pins.ts";
export type { Notify, PurgatoryCounters } from "./ports.ts";
export { StatePushGate } from "./push_gate.ts";
export { release, type ReleaseParts } from "./release.ts";
export { startPurgatory } from "./start.ts";
export { Sweep, type SweepResult } from "./sweep.ts";
