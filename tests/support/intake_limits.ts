import type { IntakeLimits } from "../../lib/intake/mod.ts";

/** The options intake reads, at their defaults. */
export const INTAKE_LIMITS: IntakeLimits = {
  maxEventFutureSecs: 1_800,
  openGraspLists: true,
  ignoreDeletionRequests: false,
  restrictDeletionRequests: false,
};
