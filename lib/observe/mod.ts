/** What the operator sees: the log. */
export * from "./address_key.ts";
export * from "./log.ts";
export * from "./log_filter.ts";
export * from "./logger.ts";
export * from "./metrics.ts";
export * from "./run_job.ts";
export type * from "./metrics_sync.ts";
