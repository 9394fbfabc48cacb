/** Work done on stored data beside serving it: packing, checking, cleaning up, reporting. */
export * from "./audit_cleanup.ts";
export * from "./audit_marks.ts";
export * from "./db_maintenance.ts";
export * from "./disk_report.ts";
export * from "./empty_plan.ts";
export * from "./empty_removal.ts";
export * from "./empty_scan.ts";
export * from "./git_fsck.ts";
export * from "./git_maintenance.ts";
export * from "./jobs.ts";
export * from "./ports.ts";
export * from "./repack.ts";
export * from "./repo_reconcile.ts";
export * from "./schedule.ts";
export { restAfter } from "./walk.ts";
