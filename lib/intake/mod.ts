/** Door 1: admits events, and looks again at refused ones when what they lacked became known. */
export { AdmissionOrder } from "./admission_order.ts";
export { type AdmitAnswer, Intake } from "./intake.ts";
export type { AdmitResult } from "./judge.ts";
export { importLegacyRejected, type LegacyRejectedParts } from "./legacy_rejected.ts";
export {
  type EventSource,
  type IntakeCounters,
  type IntakeLimits,
  type IntakeParts,
  noRejectedMetrics,
  type RefusedLifetimes,
  type SignatureVerifier,
  type Want,
} from "./ports.ts";
