import { type NostrEvent, parseAnnouncement, type PullRequest, type Refusal, refuse } from "../nostr/mod.ts";
import type { RepositoryKey } from "../store/types.ts";
import { authorRefusal, blacklistRefusal, type Blacklists } from "./curation.ts";
import type { Effect } from "./effects.ts";
import { Authority } from "./maintainers.ts";
import { orphanedStates, statesWithoutOwner } from "./orphans.ts";
import { hostedOwners, type IdentifierView, type KnownAnnouncement } from "./view.ts";

/** Why the operator wants nothing of this repository: its owner or the repository is blacklisted. */
export function operatorRefusal(repository: RepositoryKey, rules: Blacklists): Refusal | undefined {
  return authorRefusal(repository.owner, rules) ?? blacklistRefusal(repository, rules.repositoryBlacklist);
}

/** Refused like an announcement when every repository a pull request names is blacklisted. */
export function targetsRefusal(
  { targets }: Pick<PullRequest, "targets">,
  rules: Blacklists,
): Refusal | undefined {
  const refusals = targets.map((target) => blacklistRefusal(target, rules.repositoryBlacklist));
  const [first] = refusals;
  return first && refusals.every((refusal) => refusal !== undefined)
    ? refuse("blocked", "blacklisted_repo", first.text)
    : undefined;
}

/** Why the operator wants nothing of this pull request: its author, or all it is for, is blacklisted. */
export function pullRequestRefusal(pullRequest: PullRequest, rules: Blacklists): Refusal | undefined {
  return authorRefusal(pullRequest.event.pubkey, rules) ?? targetsRefusal(pullRequest, rules);
}

/** What the blacklists do to what is known under one identifier. */
export interface Moderation {
  /** Announcements that match, served or waiting. */
  readonly blacklisted: readonly KnownAnnouncement[];
  /** Served events that leave with them: the announcements, and what only they stood for. */
  readonly leaving: readonly NostrEvent[];
  readonly effects: readonly Effect[];
}

/**
 * Decides about everything of one identifier that is stored already: blacklisted repositories are
 * retired as by a deletion request of their owner, or leave purgatory. Other owners of the same
 * identifier, and the maintainers they name, keep what is theirs.
 */
export function decideModeration(view: IdentifierView, rules: Blacklists): Moderation {
  const blacklisted = view.announcements.filter(({ announcement }) => operatorRefusal(announcement, rules));
  if (blacklisted.length === 0) return { blacklisted, leaving: [], effects: [] };
  const before = new Authority(view);
  const others = without(view, blacklisted);
  const unanchored = others.announcements.filter((known) => isUnanchored(known, others));
  const remaining = without(others, unanchored);
  const followers = [
    ...unanchored.map(({ announcement }) => announcement.event),
    ...orphanedStates(remaining),
  ];
  const effects: Effect[] = [];
  const left = new Set<NostrEvent>();
  for (const { announcement: { owner, event }, waiting } of blacklisted) {
    if (waiting) {
      effects.push({ type: "removeRepository", owner, force: true });
      effects.push({ type: "dropAnnouncement", owner, reason: "deleted" });
      continue;
    }
    // An event that several of them stood for is held with the first.
    const own = followers.filter((follower) => !left.has(follower) && before.of(owner)?.has(follower.pubkey));
    const events = [event, ...own];
    for (const leaving of events) left.add(leaving);
    effects.push({ type: "retire", owner, reason: "operator", events });
  }
  for (const id of statesWithoutOwner(remaining)) effects.push({ type: "dropState", id, reason: "deleted" });
  return { blacklisted, leaving: [...left], effects };
}

/** True for a served event that stands by itself: an announcement the operator has nothing against. */
export function isAnchor(event: NostrEvent, rules: Blacklists): boolean {
  const parsed = parseAnnouncement(event);
  return parsed.ok && operatorRefusal(parsed.announcement, rules) === undefined;
}

function without(view: IdentifierView, gone: readonly KnownAnnouncement[]): IdentifierView {
  return { ...view, announcements: view.announcements.filter((known) => !gone.includes(known)) };
}

/** Served only because a maintainer set contained its author, and none does. */
function isUnanchored({ announcement, hosted, waiting }: KnownAnnouncement, view: IdentifierView): boolean {
  if (hosted || waiting) return false;
  const anchors = hostedOwners(view);
  return !new Authority(view).ownersTrusting(announcement.owner).some((owner) => anchors.has(owner));
}
