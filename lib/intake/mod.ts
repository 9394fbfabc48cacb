/** Door 1: admits events. */
export { type AdmitAnswer, Intake } from "./intake.ts";
export type { EventSource, IntakeCounters, IntakeParts, SignatureVerifier } from "./ports.ts";
