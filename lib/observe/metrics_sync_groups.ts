import type { AttemptTally } from "./metrics_attempts.ts";
import type { Families } from "./metrics_families.ts";
import { amount } from "./metrics_labels.ts";
import type { JobGroup } from "./metrics_operation.ts";
import type { HuntGroup, RejectedGroup, SyncGroup } from "./metrics_sync.ts";

/** The counters of following other relays. */
export function syncGroup(families: Families, attempts: AttemptTally, jobs: JobGroup): SyncGroup {
  return {
    attempt: (relay, result) => attempts.add(relay, result),
    synced: () => families.syncEvents.inc(),
    processed: (result) => families.syncProcessed.inc({ result }),
    batch: (method, result) => families.syncBatches.inc({ method, result }),
    negentropy: (result) => families.syncNegentropy.inc({ result }),
    redundantIds: (count) => families.syncRedundantIds.inc(amount(count)),
    historicDuration: (seconds) => families.syncHistoricSeconds.observe(amount(seconds)),
    stalledSubscription: () => families.syncStalled.inc(),
    consolidation: (result) => families.syncConsolidations.inc({ result }),
    droppedFrame: (reason) => families.syncDroppedFrames.inc({ reason }),
    dailySync: (seconds, at) => jobs.ran("daily_sync", "success", seconds, at),
  };
}

/** The counters of refused events that are remembered. */
export function rejectedGroup(families: Families): RejectedGroup {
  return {
    hotHits: (type, count) => families.rejectedHits.inc({ event_type: type }, amount(count)),
    hotMiss: (type) => families.rejectedMisses.inc({ event_type: type }),
    hotExpired: (type, count) => families.rejectedHotExpired.inc({ event_type: type }, amount(count)),
    coldExpired: (type, count) => families.rejectedColdExpired.inc({ event_type: type }, amount(count)),
    invalidated: (type, count) => families.rejectedInvalidated.inc({ event_type: type }, amount(count)),
  };
}

/** The counters of the hunt for missing git data. */
export function huntGroup(families: Families): HuntGroup {
  return {
    fetch(result, seconds, bytes, objects) {
      families.huntFetches.inc({ result });
      families.huntFetchSeconds.observe(amount(seconds));
      families.huntFetchBytes.inc(amount(bytes));
      families.huntFetchedObjects.inc(amount(objects));
    },
    hunt: (result) => families.hunts.inc({ result }),
    urlSkipped: (reason) => families.huntUrlsSkipped.inc({ reason }),
  };
}
