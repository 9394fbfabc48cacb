/** Work done on stored data beside serving it: packing, checking, cleaning up, reporting. */
export * from "./git_maintenance.ts";
export type { MaintenanceParts, Pace } from "./ports.ts";
