import { type Config, loadConfig } from "../../lib/config/mod.ts";
import type { CurationRules, ListEntry } from "../../lib/policy/mod.ts";
import { OPEN } from "../policy/support.ts";

/** What an engine does beyond hosting. */
export interface EngineOptions {
  /** What becomes of deletion requests; obeyed when not given. */
  readonly deletions?: "ignored" | "restricted";
  /** Offer contributors' repositories (GRASP-06), with these limits. */
  readonly contributions?: {
    readonly maxTotalBytes?: number;
    readonly maxBytesPerSubmitter?: number;
  };
}

/** The printed defaults with these rules and options, as an operator would have set them. */
export async function engineConfig(
  changes: Partial<CurationRules>,
  { deletions, contributions }: EngineOptions,
): Promise<Config> {
  const rules = { ...OPEN, ...changes };
  return {
    ...await defaults(),
    domain: rules.domain,
    repositoryWhitelist: rules.repositoryWhitelist.map(written),
    repositoryBlacklist: rules.repositoryBlacklist.map(written),
    eventBlacklist: [...rules.eventBlacklist].map((pubkey) => ({ kind: "owner", pubkey, text: pubkey })),
    archiveAll: rules.archive.all,
    archiveWhitelist: rules.archive.whitelist.map(written),
    archiveGraspServices: rules.archive.services,
    archiveReadOnly: rules.archive.readOnly,
    ignoreDeletionRequests: deletions === "ignored",
    restrictDeletionRequests: deletions === "restricted",
    grasp06Enable: contributions !== undefined,
    grasp06MaxTotalBytes: contributions?.maxTotalBytes ?? 0,
    grasp06MaxBytesPerSubmitter: contributions?.maxBytesPerSubmitter ?? 0,
  };
}

async function defaults(): Promise<Config> {
  const readTextFile = () => Promise.reject(new Deno.errors.NotFound());
  const loaded = await loadConfig({ args: [], env: {}, cwd: "/", readTextFile });
  if (!loaded.ok) throw new Error("the defaults are no configuration");
  return loaded.config;
}

function written(entry: ListEntry): ListEntry & { readonly text: string } {
  return { ...entry, text: "" };
}
