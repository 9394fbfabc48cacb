import {
  type Announcement,
  encodeNpub,
  listsService,
  namesInClone,
  quoted,
  type Refusal,
  refuse,
} from "../nostr/mod.ts";

/** One entry of a whitelist or blacklist, as configured. */
export type ListEntry =
  | { readonly kind: "owner"; readonly pubkey: string }
  | { readonly kind: "repository"; readonly pubkey: string; readonly identifier: string }
  | { readonly kind: "identifier"; readonly identifier: string };

/** What the operator refuses whatever else is allowed. */
export interface Blacklists {
  readonly repositoryBlacklist: readonly ListEntry[];
  /** Public keys whose events are refused altogether. */
  readonly eventBlacklist: ReadonlySet<string>;
}

/** The operator's rules an announcement is judged by. */
export interface CurationRules extends Blacklists {
  /** Normalised service domain (`host[:port]`). */
  readonly domain: string;
  /** Empty means open. */
  readonly repositoryWhitelist: readonly ListEntry[];
  readonly archive: ArchiveRules;
}

/** Which announcements are taken although they need not list this service (GRASP-05). */
export interface ArchiveRules {
  readonly all: boolean;
  readonly whitelist: readonly ListEntry[];
  /** Normalised authorities (`host[:port]`) of other GRASP servers. */
  readonly services: readonly string[];
  /** Only archivable announcements are taken, and nothing can be pushed. */
  readonly readOnly: boolean;
}

/** Which route an announcement takes (relay chapter, table A). */
export type Classification =
  /** It lists this service: hosted and writable. */
  | { readonly route: "host" }
  /** Kept as a copy (GRASP-05): the same on disk, but nobody pushes here. */
  | { readonly route: "archive" }
  /** Not for us; the maintainer exception may still take it. */
  | { readonly route: "notListed"; readonly refusal: Refusal }
  /** Refused whoever sends it. */
  | { readonly route: "final"; readonly refusal: Refusal };

/** Classifies a well-formed announcement: a pure function of event and configuration. */
export function classifyAnnouncement(announcement: Announcement, rules: CurationRules): Classification {
  const blacklisted = blacklistRefusal(announcement, rules.repositoryBlacklist);
  if (blacklisted) return { route: "final", refusal: blacklisted };
  const { archive, repositoryWhitelist: whitelist } = rules;
  const lists = listsService(announcement, rules.domain) && !archive.readOnly;
  const onWhitelist = whitelist.length === 0 || whitelist.some((entry) => entryMatches(entry, announcement));
  if (lists && onWhitelist) return { route: "host" };
  if (isArchivable(announcement, archive)) return { route: "archive" };
  return { route: "notListed", refusal: notTaken(announcement, lists, archive.readOnly) };
}

function isArchivable(announcement: Announcement, archive: ArchiveRules): boolean {
  return archive.all || archive.whitelist.some((entry) => entryMatches(entry, announcement)) ||
    archive.services.some((service) => namesInClone(announcement.cloneUrls, service));
}

function notTaken(announcement: Announcement, lists: boolean, readOnly: boolean): Refusal {
  const repository = `${encodeNpub(announcement.owner)}/${quoted(announcement.identifier)}`;
  if (lists) {
    const text =
      `Announcement lists service but does not match repository whitelist. Repository ${repository}`;
    return refuse("blocked", "not_whitelisted", `${text} not in whitelist`);
  }
  if (readOnly) {
    const text =
      `Archive read-only mode: announcement must match archive whitelist. Repository ${repository}`;
    return refuse("blocked", "read_only", `${text} not in whitelist`);
  }
  const found = `Found clone URLs: ${jsonList(announcement.cloneUrls)}, relays: ${
    jsonList(announcement.relayUrls)
  }`;
  return refuse(
    "blocked",
    "not_listed",
    `Announcement must list service in both 'clone' and 'relays' tags, or match archive whitelist. ${found}`,
  );
}

/** The refusal for an author on the event blacklist, if listed. */
export function authorRefusal(pubkey: string, rules: Blacklists): Refusal | undefined {
  if (!rules.eventBlacklist.has(pubkey)) return undefined;
  return refuse("blocked", "blacklisted_author", `Event author ${encodeNpub(pubkey)} is blacklisted`);
}

/** The refusal by the first matching blacklist entry, in configured order. */
export function blacklistRefusal(
  repository: { readonly owner: string; readonly identifier: string },
  blacklist: readonly ListEntry[],
): Refusal | undefined {
  const entry = blacklist.find((candidate) => entryMatches(candidate, repository));
  if (!entry) return undefined;
  const npub = encodeNpub(repository.owner);
  const texts = {
    owner: `Repository owner ${npub} is blacklisted`,
    repository: `Repository ${npub}/${quoted(repository.identifier)} is blacklisted`,
    identifier: `Repository identifier ${quoted(repository.identifier)} is blacklisted`,
  };
  return refuse("blocked", "blacklisted_repo", texts[entry.kind]);
}

function entryMatches(entry: ListEntry, repository: { owner: string; identifier: string }): boolean {
  switch (entry.kind) {
    case "owner":
      return entry.pubkey === repository.owner;
    case "repository":
      return entry.pubkey === repository.owner && entry.identifier === repository.identifier;
    case "identifier":
      return entry.identifier === repository.identifier;
  }
}

function jsonList(values: readonly string[]): string {
  return `[${values.slice(0, 10).map((value) => JSON.stringify(quoted(value))).join(", ")}]`;
}
