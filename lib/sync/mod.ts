/** Following other relays (GRASP-02): what is wanted, from whom, and the connections that bring it. */
export { startSync } from "./engine.ts";
export type { SyncEngine, SyncParts } from "./engine_types.ts";
export { newBatchProgress, newPeerMemory } from "./fresh.ts";
export { createOpenLink, type LinkParts } from "./link.ts";
export type { Inspection, RelayInspection } from "./inspection.ts";
export * from "./ports.ts";
export { type SyncConfig, syncSettings } from "./settings.ts";
export type { WantedEvents } from "./wanted_events.ts";
