import type { SyncGroup } from "../../lib/observe/mod.ts";

/** Counts nothing. */
export const ignoresAll: SyncGroup = {
  attempt() {},
  synced() {},
  processed() {},
  batch() {},
  negentropy() {},
  redundantIds() {},
  historicDuration() {},
  stalledSubscription() {},
  consolidation() {},
  droppedFrame() {},
  dailySync() {},
};
