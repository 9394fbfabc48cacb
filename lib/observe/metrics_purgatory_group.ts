import type { Families } from "./metrics_families.ts";
import { amount, kindLabel } from "./metrics_labels.ts";
import type { PurgatoryGroup } from "./metrics_purgatory.ts";

/** Purgatory's counters. */
export function purgatoryGroup(families: Families): PurgatoryGroup {
  return {
    released: (type, source) => families.purgatoryReleased.inc({ type, source }),
    expired: (type, source) => families.purgatoryExpired.inc({ type, source }),
    stored: (kind) => families.eventsStored.inc({ kind: kindLabel(kind) }),
    duplicate: (type, source) => families.purgatoryDuplicates.inc({ type, source }),
    removed: (type, reason) => families.purgatoryRemoved.inc({ type, reason }),
    revived: () => families.purgatoryRevived.inc(),
    replaced: () => families.purgatoryReplaced.inc(),
    waited: (type, via, seconds) => families.purgatoryWait.observe({ type, via }, amount(seconds)),
    refusedExpired: (type) => families.purgatoryRefusedExpired.inc({ type }),
    pushMatched: (result) => families.pushMatches.inc({ result }),
    processed: (seconds) => families.processingSeconds.observe(amount(seconds)),
    processingFailed: (step) => families.processingErrors.inc({ step }),
    repositoryDeleted: (reason, result) => families.repositoriesDeleted.inc({ reason, result }),
  };
}

/** Counts nothing. */
export const noPurgatoryMetrics: PurgatoryGroup = {
  released() {},
  expired() {},
  stored() {},
  duplicate() {},
  removed() {},
  revived() {},
  replaced() {},
  waited() {},
  refusedExpired() {},
  pushMatched() {},
  processed() {},
  processingFailed() {},
  repositoryDeleted() {},
};
