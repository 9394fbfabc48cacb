import { type Config, isReadOnly } from "../config/mod.ts";
import { normaliseDomain } from "../nostr/mod.ts";
import type { CurationRules } from "./curation.ts";

/** The rules an operator configured, in the form policy decides with. */
export function curationRules(config: Config): CurationRules {
  return {
    domain: normaliseDomain(config.domain) ?? config.domain,
    repositoryWhitelist: config.repositoryWhitelist,
    repositoryBlacklist: config.repositoryBlacklist,
    eventBlacklist: new Set(config.eventBlacklist.map(({ pubkey }) => pubkey)),
    archive: {
      all: config.archiveAll,
      whitelist: config.archiveWhitelist,
      services: config.archiveGraspServices.map((service) => normaliseDomain(service) ?? service),
      readOnly: isReadOnly(config),
    },
  };
}
