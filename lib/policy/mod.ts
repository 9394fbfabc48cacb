/** Pure decisions: an event or a push and a view of what we know in, a verdict and effects as data out. */
export * from "./announcement.ts";
export * from "./curation.ts";
export * from "./curation_rules.ts";
export * from "./deletion.ts";
export * from "./durations.ts";
export * from "./effects.ts";
export * from "./expiry.ts";
export * from "./maintainers.ts";
export * from "./orphans.ts";
export * from "./pull_request.ts";
export * from "./push.ts";
export * from "./push_contribution.ts";
export * from "./push_pull_request.ts";
export * from "./ref_command.ts";
export * from "./release.ts";
export * from "./state.ts";
export * from "./view.ts";
