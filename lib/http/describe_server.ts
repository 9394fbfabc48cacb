import { type Config, isReadOnly, PROGRAM_VERSION, type RelayKey } from "../config/mod.ts";
import { type ArchiveKind, relayInformation, wantsRelayInformation } from "../relay/mod.ts";
import type { Routes } from "./router.ts";

/** Where the project lives; NIP-11 `software`. */
const SOFTWARE_URL = "https://ngit.dev/grasp";
/** NIPs implemented and covered by tests. */
const SUPPORTED_NIPS = [1, 9, 11, 34, 40, 45, 70, 77];

/** What pages and the NIP-11 document say; made once per configuration. */
export function describeServer(config: Config, key: RelayKey): Pick<Routes, "site" | "relayInformation"> {
  const document = relayInformation({
    name: config.relayName,
    description: config.relayDescription,
    ownerPubkey: config.ownerNpub,
    relayPubkey: key.pubkey,
    contact: config.relayContact,
    software: SOFTWARE_URL,
    version: PROGRAM_VERSION,
    icon: config.relayIconUrl,
    supportedNips: SUPPORTED_NIPS.filter((nip) => nip !== 9 || !config.ignoreDeletionRequests),
    sync: config.syncEnable,
    grasp06: config.grasp06Enable,
    archive: archiveKind(config),
    archiveReadOnly: isReadOnly(config),
    repositoryWhitelist: config.repositoryWhitelist.length > 0,
    repoAcceptanceCriteria: config.repoAcceptanceCriteria,
    curation: config.curation,
    postingPolicy: config.relayPostingPolicy,
    privacyPolicy: config.relayPrivacyPolicy,
    termsOfService: config.relayTermsOfService,
    limits: config,
  });
  const text = JSON.stringify(document, null, 2) + "\n";
  const headers = {
    "Content-Type": "application/nostr+json",
    Vary: "Accept",
    "Cache-Control": "max-age=300",
  };
  return {
    site: {
      name: config.relayName,
      description: config.relayDescription,
      domain: config.domain,
      scheme: config.publicScheme,
      version: PROGRAM_VERSION,
      supportedGrasps: document.supported_grasps as string[],
      supportedNips: document.supported_nips as number[],
      acceptance: document.repo_acceptance_criteria as string,
      curation: document.curation as string | undefined,
      information: document,
    },
    relayInformation: (request, path) =>
      wantsRelayInformation(request.headers.get("accept"), path)
        ? new Response(text, { headers })
        : undefined,
  };
}

/** Which archive rule is configured, for NIP-11. */
export function archiveKind(config: Config): ArchiveKind {
  if (config.archiveAll) return "all";
  if (config.archiveWhitelist.length > 0) return "whitelist";
  return config.archiveGraspServices.length > 0 ? "services" : "none";
}
