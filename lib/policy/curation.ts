import { type Announcement, encodeNpub, listsService, quoted, type Refusal, refuse } from "../nostr/mod.ts";

/** One entry of a whitelist or blacklist, as configured. */
export type ListEntry =
  | { readonly kind: "owner"; readonly pubkey: string }
  | { readonly kind: "repository"; readonly pubkey: string; readonly identifier: string }
  | { readonly kind: "identifier"; readonly identifier: string };

/** The operator's rules an announcement is judged by. */
export interface CurationRules {
  /** Normalised service domain (`host[:port]`). */
  readonly domain: string;
  /** Empty means open. */
  readonly repositoryWhitelist: readonly ListEntry[];
  readonly repositoryBlacklist: readonly ListEntry[];
  /** Public keys whose events are refused altogether. */
  readonly eventBlacklist: ReadonlySet<string>;
}

/** Which route an announcement takes (relay chapter, table A). */
export type Classification =
  | { readonly route: "host" }
  /** Not for us; the maintainer exception may still take it. */
  | { readonly route: "notListed"; readonly refusal: Refusal }
  /** Refused whoever sends it. */
  | { readonly route: "final"; readonly refusal: Refusal };

/** Classifies a well-formed announcement: a pure function of event and configuration. */
export function classifyAnnouncement(announcement: Announcement, rules: CurationRules): Classification {
  const blacklisted = blacklistRefusal(announcement, rules.repositoryBlacklist);
  if (blacklisted) return { route: "final", refusal: blacklisted };
  if (!listsService(announcement, rules.domain)) {
    const found = `Found clone URLs: ${jsonList(announcement.cloneUrls)}, relays: ${
      jsonList(announcement.relayUrls)
    }`;
    return {
      route: "notListed",
      refusal: refuse(
        "blocked",
        "not_listed",
        `Announcement must list service in both 'clone' and 'relays' tags, or match archive whitelist. ${found}`,
      ),
    };
  }
  const whitelist = rules.repositoryWhitelist;
  if (whitelist.length > 0 && !whitelist.some((entry) => entryMatches(entry, announcement))) {
    const repository = `${encodeNpub(announcement.owner)}/${quoted(announcement.identifier)}`;
    return {
      route: "notListed",
      refusal: refuse(
        "blocked",
        "not_whitelisted",
        `Announcement lists service but does not match repository whitelist. Repository ${repository} not in whitelist`,
      ),
    };
  }
  return { route: "host" };
}

/** The refusal for an author on the event blacklist, if listed. */
export function authorRefusal(pubkey: string, rules: CurationRules): Refusal | undefined {
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
