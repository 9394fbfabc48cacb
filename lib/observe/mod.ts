/** What the operator sees: log, metrics, and the regular jobs behind them. */
export * from "./address_key.ts";
export * from "./jobs.ts";
export * from "./line_writer.ts";
export * from "./log.ts";
export * from "./log_filter.ts";
export * from "./logger.ts";
export * from "./metrics.ts";
export * from "./run_job.ts";
export type * from "./metrics_sync.ts";
