/** How an announcement may enter without listing this service (GRASP-05). */
export type ArchiveKind = "none" | "all" | "whitelist" | "services";

/** What the relay information document is derived from: the effective configuration. */
export interface RelayInformationInput {
  readonly name: string;
  readonly description: string;
  /** The operator's public key, else the relay's own is named; 64 lower-case hex digits. */
  readonly ownerPubkey: string | undefined;
  /** Public key of the relay itself; 64 lower-case hex digits. */
  readonly relayPubkey: string;
  readonly contact?: string | undefined;
  /** URL of the product's project page. */
  readonly software: string;
  readonly version: string;
  readonly icon: string;
  /** NIPs this server implements; sorted and made unique here. */
  readonly supportedNips: readonly number[];
  /** Optional specifications beside GRASP-01 that are switched on. */
  readonly sync: boolean;
  readonly grasp06: boolean;
  readonly archive: ArchiveKind;
  readonly archiveReadOnly: boolean;
  /** True when the repository whitelist option has any entry, valid or not. */
  readonly repositoryWhitelist: boolean;
  /** Texts that override the derived ones. */
  readonly repoAcceptanceCriteria?: string | undefined;
  readonly curation?: string | undefined;
  readonly postingPolicy?: string | undefined;
  readonly privacyPolicy?: string | undefined;
  readonly termsOfService?: string | undefined;
  readonly limits: {
    readonly maxMessageBytes: number;
    readonly maxSubscriptions: number;
    readonly maxFilterLimit: number;
    readonly defaultFilterLimit: number;
    readonly maxSubidLength: number;
    readonly maxEventFutureSecs: number;
  };
}

/**
 * The relay information document (NIP-11, GRASP-01), fields in the order they are printed. Optional
 * members are left out, never null. Blacklists and the contents of lists never appear.
 */
export function relayInformation(input: RelayInformationInput): Record<string, unknown> {
  const curation = curationOf(input);
  return {
    name: input.name,
    description: input.description,
    pubkey: input.ownerPubkey ?? input.relayPubkey,
    self: input.relayPubkey,
    ...optional("contact", input.contact),
    supported_nips: [...new Set(input.supportedNips)].sort((a, b) => a - b),
    software: input.software,
    version: input.version,
    icon: input.icon,
    supported_grasps: supportedGrasps(input),
    repo_acceptance_criteria: input.repoAcceptanceCriteria || acceptanceCriteria(input),
    ...optional("curation", curation),
    limitation: limitation(input),
    ...optional("posting_policy", input.postingPolicy),
    ...optional("privacy_policy", input.privacyPolicy),
    ...optional("terms_of_service", input.termsOfService),
  };
}

function optional(key: string, value: string | undefined): Record<string, string> {
  return value ? { [key]: value } : {};
}

function supportedGrasps({ sync, archive, grasp06 }: RelayInformationInput): string[] {
  return [
    "GRASP-01",
    ...(sync ? ["GRASP-02"] : []),
    ...(archive !== "none" ? ["GRASP-05"] : []),
    ...(grasp06 ? ["GRASP-06"] : []),
  ];
}

function acceptanceCriteria(input: RelayInformationInput): string {
  if (input.archiveReadOnly) return "Not accepting repositories; read-only archive";
  if (input.repositoryWhitelist) return "Repository must list this service and be on its whitelist";
  return input.archive === "none"
    ? "None"
    : "Repository must list this service, or be selected for archiving";
}

const READ_ONLY_CURATION: Readonly<Record<ArchiveKind, string | undefined>> = {
  none: undefined,
  all: "Read-only sync of all repositories found on network",
  whitelist: "Read-only sync of whitelisted repositories and maintainers",
  services: "Read-only sync of repositories from specified GRASP servers",
};

function curationOf(input: RelayInformationInput): string | undefined {
  if (input.curation) return input.curation;
  if (input.archiveReadOnly) return READ_ONLY_CURATION[input.archive];
  if (!input.repositoryWhitelist) return undefined;
  return input.archive === "none"
    ? "Accepts only whitelisted repositories and maintainers that list this service"
    : "Accepts whitelisted repositories (with or without service listing) and whitelisted repositories that list this service";
}

function limitation({ limits }: RelayInformationInput): Record<string, unknown> {
  return {
    max_message_length: limits.maxMessageBytes,
    max_subscriptions: limits.maxSubscriptions,
    max_limit: limits.maxFilterLimit,
    default_limit: limits.defaultFilterLimit,
    max_subid_length: limits.maxSubidLength,
    created_at_upper_limit: limits.maxEventFutureSecs,
    min_pow_difficulty: 0,
    auth_required: false,
    payment_required: false,
    restricted_writes: true,
  };
}

/**
 * True when an `Accept` header selects the document: `application/nostr+json` with q above 0, or on
 * `/` alone `application/json` where `text/html` is not accepted too. Wildcards do not select it.
 */
export function wantsRelayInformation(acceptHeader: string | null, path: string): boolean {
  const accepted = acceptedTypes(acceptHeader ?? "");
  if (accepted.has("application/nostr+json")) return true;
  return path === "/" && accepted.has("application/json") && !accepted.has("text/html");
}

function acceptedTypes(header: string): Set<string> {
  const types = new Set<string>();
  for (const range of header.toLowerCase().split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
    const quality = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
    if (quality === undefined || Number(quality) > 0) types.add(type);
  }
  return types;
}
