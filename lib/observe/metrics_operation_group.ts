import type { Families } from "./metrics_families.ts";
import { amount } from "./metrics_labels.ts";
import type { ConfigGroup, JobGroup, StoreGroup } from "./metrics_operation.ts";

/** The store's counters. */
export function storeGroup(families: Families): StoreGroup {
  return {
    operation: (op, seconds) => families.dbSeconds.observe({ op }, amount(seconds)),
    corrupt: (type) => families.purgatoryRemoved.inc({ type, reason: "corrupt" }),
  };
}

/** The counters of regular jobs. */
export function jobGroup(families: Families): JobGroup {
  return {
    ran(job, result, seconds, at) {
      families.jobRuns.inc({ job, result });
      families.jobSeconds.set({ job }, amount(seconds));
      if (result === "success") families.jobLastSuccess.set({ job }, amount(at) / 1000);
    },
    skipped: (job) => families.jobRuns.inc({ job, result: "skipped" }),
    succeededBefore: (job, at) => families.jobLastSuccess.set({ job }, amount(at) / 1000),
  };
}

/** The counters of the configuration. */
export function configGroup(families: Families): ConfigGroup {
  return { reloaded: (result) => families.configReloads.inc({ result }) };
}

/** Counts nothing. */
export const noStoreMetrics: StoreGroup = { operation() {}, corrupt() {} };

/** Counts nothing. */
export const noJobMetrics: JobGroup = { ran() {}, skipped() {}, succeededBefore() {} };

/** Counts nothing. */
export const noConfigMetrics: ConfigGroup = { reloaded() {} };
