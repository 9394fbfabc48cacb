import type { NostrEvent } from "./event.ts";
import { identifierProblem } from "./identifier.ts";
import { KIND } from "./kinds.ts";
import { type Refusal, refuse } from "./refusal.ts";
import { firstTagValue, parseCoordinate, tagsNamed } from "./tags.ts";

/** Most repositories one pull request may address; further `a` tags are ignored. */
export const MAX_PULL_REQUEST_TARGETS = 20;

/** A pull request or pull request update (NIP-34 kinds 1618 and 1619), as far as this server reads it. */
export interface PullRequest {
  readonly event: NostrEvent;
  /** The first `c` value, verbatim. */
  readonly declaredCommit: string;
  /** The same in lower case; a value that is no object id never reaches git. */
  readonly commit: string;
  /** The repositories its well-formed `30617` coordinates name, without repetition. */
  readonly targets: readonly { readonly owner: string; readonly identifier: string }[];
}

/** True for the kinds {@link parsePullRequest} reads. */
export function isPullRequest(kind: number): boolean {
  return kind === KIND.pullRequest || kind === KIND.pullRequestUpdate;
}

/** Reads a pull request, or says why it is refused. */
export function parsePullRequest(event: NostrEvent): { ok: true; pullRequest: PullRequest } | Refusal {
  const declaredCommit = firstTagValue(event, "c");
  if (declaredCommit === undefined) {
    return refuse("invalid", "invalid", `Failed to check git data: PR event ${event.id} has no 'c' tag`);
  }
  const targets = new Map<string, { owner: string; identifier: string }>();
  for (const [, value] of tagsNamed(event, "a")) {
    const coordinate = value === undefined ? undefined : parseCoordinate(value);
    if (coordinate?.kind !== KIND.announcement || identifierProblem(coordinate.identifier)) continue;
    const { pubkey, identifier } = coordinate;
    targets.set(`${pubkey}:${identifier}`, { owner: pubkey, identifier });
    if (targets.size === MAX_PULL_REQUEST_TARGETS) break;
  }
  const commit = declaredCommit.toLowerCase();
  return { ok: true, pullRequest: { event, declaredCommit, commit, targets: [...targets.values()] } };
}

/** The ref that holds the tip of a pull request. */
export function pullRequestRef(id: string): string {
  return `refs/nostr/${id}`;
}

/** Event id named by a `refs/nostr/` ref: exactly 64 lower-case hex digits, else undefined. */
export function pullRequestIdOf(ref: string): string | undefined {
  return /^refs\/nostr\/([0-9a-f]{64})$/.exec(ref)?.[1];
}
