import type { NostrEvent } from "./event.ts";
import { identifierProblem } from "./identifier.ts";
import { quoted, type Refusal, refuse } from "./refusal.ts";
import { tagsNamed } from "./tags.ts";

/** A repository announcement (NIP-34 kind 30617), as far as this server reads it. */
export interface Announcement {
  readonly event: NostrEvent;
  readonly owner: string;
  readonly identifier: string;
  readonly cloneUrls: readonly string[];
  readonly relayUrls: readonly string[];
  /** Keys of the first `maintainers` tag that are 64 hex digits, lower-cased. */
  readonly maintainers: readonly string[];
}

/** Reads an announcement, or says why it is structurally refused (final: no exception applies). */
export function parseAnnouncement(event: NostrEvent): { ok: true; announcement: Announcement } | Refusal {
  const dTag = event.tags.find((tag) => tag[0] === "d");
  if (!dTag) return refuse("invalid", "invalid", "Missing required 'd' tag (identifier)");
  const identifier = dTag[1];
  if (identifier === undefined) {
    return refuse(
      "invalid",
      "invalid",
      "Invalid announcement: Repository announcement missing 'd' tag (identifier)",
    );
  }
  const cloneTags = tagsNamed(event, "clone");
  if (cloneTags.length > 1) {
    return refuse(
      "invalid",
      "invalid",
      "Invalid announcement: multiple clone tags found. correct format is single clone tag with multiple values",
    );
  }
  const problem = identifierProblem(identifier);
  if (problem) return refuse("invalid", "invalid", `Invalid identifier: ${quoted(problem)}`);
  return {
    ok: true,
    announcement: {
      event,
      owner: event.pubkey,
      identifier,
      cloneUrls: cloneTags[0]?.slice(1) ?? [],
      relayUrls: tagsNamed(event, "relays").flatMap((tag) => tag.slice(1)),
      maintainers: maintainersOf(event),
    },
  };
}

function maintainersOf(event: NostrEvent): string[] {
  const values = event.tags.find((tag) => tag[0] === "maintainers")?.slice(1) ?? [];
  return values.map((value) => value.toLowerCase()).filter((value) => /^[0-9a-f]{64}$/.test(value));
}
