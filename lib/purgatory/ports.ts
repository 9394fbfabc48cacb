import type { NostrEvent } from "../nostr/mod.ts";

/** Told about every event that became servable, once, after its commit, in order. */
export type Notify = (event: NostrEvent) => void;

/** Counts what happens to waiting entries; the metrics implement it. */
export interface PurgatoryCounters {
  released(type: "announcement" | "state", source: "direct" | "sync"): void;
  expired(type: "announcement" | "state", source: "direct" | "sync"): void;
  stored(kind: number): void;
}
