import {
  contributionIdentifiers,
  isPullRequest,
  KIND,
  type NostrEvent,
  parsePullRequest,
} from "../nostr/mod.ts";
import { type Blacklists, isAnchor, targetsRefusal } from "../policy/mod.ts";
import type { Standing } from "./hanging.ts";
import type { ReleaseParts } from "./ports.ts";

/** How a served event stands that is linked to a leaving repository; those that leave with it are `apart`. */
export function standingOf(
  { contributions }: Pick<ReleaseParts, "contributions">,
  event: NostrEvent,
  rules: Blacklists,
): Standing {
  // Their own authority decides about states.
  if (event.kind === KIND.state) return "anchor";
  if (event.kind === KIND.announcement) return isAnchor(event, rules) ? "anchor" : "apart";
  const parsed = isPullRequest(event.kind) ? parsePullRequest(event) : undefined;
  if (!parsed?.ok) return "linked";
  if (targetsRefusal(parsed.pullRequest, rules)) return "unwanted";
  const offered = contributions && contributionIdentifiers(parsed.pullRequest, contributions.domain);
  return offered?.length ? "anchor" : "linked";
}
