/** Vocabulary of the protocol: kinds, tags, filters, announcements, states, names. Pure; knows nobody. */
export * from "./announcement.ts";
export * from "./contribution.ts";
export * from "./event.ts";
export * from "./filter.ts";
export * from "./identifier.ts";
export * from "./kinds.ts";
export * from "./npub.ts";
export * from "./pull_request.ts";
export * from "./ref_name.ts";
export * from "./refusal.ts";
export { NO_LIBRARY, openSecp256k1, secp256k1Path } from "./secp256k1.ts";
export * from "./service.ts";
export * from "./state.ts";
export * from "./tags.ts";
export { createVerifier, type Verifier } from "./verify.ts";
