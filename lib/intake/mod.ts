/** Door 1: admits events. */
export * from "./intake.ts";
