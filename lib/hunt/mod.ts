/** The hunt: git data that waiting events need is fetched from the servers their announcements name. */
export { HUNT } from "./durations.ts";
export { type Hunt, type HuntSnapshot, startHunt } from "./hunt.ts";
export type { FetchOutcome, FetchRequest, HuntParts, HuntSettings, RemoteGit } from "./ports.ts";
export { MAX_PREFLIGHT_BYTES, preflightUrl, readPreflight } from "./preflight.ts";
export { createRemoteGit } from "./remote_git.ts";
export type { RemoteGitOptions } from "./remote_options.ts";
export type { UrlReport } from "./url_memory.ts";
