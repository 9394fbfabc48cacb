import { type PullRequest, refuse } from "../nostr/mod.ts";
import type { Placeholder, RepositoryKey, WaitingPullRequest, WaitingSource } from "../store/types.ts";
import { DURATION, LIMIT } from "./durations.ts";
import {
  ACCEPTED,
  type Decision,
  duplicate,
  type Effect,
  HELD,
  IN_PURGATORY_MESSAGE,
  refused,
} from "./effects.ts";
import { Authority } from "./maintainers.ts";
import { hostedOwners, type IdentifierView } from "./view.ts";

/** Everything the decision about one pull request depends on. Times in milliseconds. */
export interface PullRequestCase {
  readonly pullRequest: PullRequest;
  readonly source: WaitingSource;
  /** It references, or is referenced by, something served. */
  readonly related: boolean;
  /** Its row, when it waits already. */
  readonly waiting: WaitingPullRequest | undefined;
  readonly placeholder: Placeholder | undefined;
  /**
   * Identifiers under which it opts in to our `/prs/` endpoint (GRASP-06): it is welcome then although
   * nothing here relates to it. Empty when this server does not offer the endpoint.
   */
  readonly contributions: readonly string[];
  /** What its ref points to in the contributor's repository of the placeholder's scope. */
  readonly offered: string | undefined;
  /** Repositories that have to carry its ref: {@link relevantOwners} of every target. */
  readonly repositories: readonly RepositoryKey[];
  /** The commit is complete in one of them, or in a contributor's repository it names. */
  readonly complete: boolean;
  /** This id expired from purgatory once. */
  readonly expired: boolean;
  /** Largest number of pull requests waiting for one of its targets. */
  readonly waitingForTarget: number;
  readonly waitingInTotal: number;
  readonly now: number;
}

/**
 * Owners whose repository belongs to a pull request: the maintainer set of their served
 * announcement contains an owner the pull request names. `served` holds no waiting announcement.
 */
export function relevantOwners(served: IdentifierView, pullRequest: PullRequest): readonly string[] {
  const named = pullRequest.targets.filter(({ identifier }) => identifier === served.identifier);
  const authority = new Authority(served);
  const hosted = hostedOwners(served);
  const trusting = named.flatMap(({ owner }) => authority.ownersTrusting(owner));
  return [...new Set(trusting)].filter((owner) => hosted.has(owner));
}

/** Decides about a well-formed pull request (relay chapter, table D; GRASP-01). */
export function decidePullRequest(input: PullRequestCase): Decision {
  const { pullRequest, waiting, source, placeholder, now } = input;
  const { id } = pullRequest.event;
  if (waiting) return resubmitted(waiting, source, now);
  if (!input.related && input.contributions.length === 0) {
    return refused(
      refuse("blocked", "orphan", "PR event must reference an accepted repository or accepted event"),
    );
  }
  if (source === "sync" && input.expired && !input.complete) {
    return refused(refuse("invalid", "expired", "previously expired from purgatory without git data"));
  }
  const effects: Effect[] = [
    ...(placeholder ? [{ type: "dropPlaceholder", id } as const] : []),
    ...[...input.repositories, ...placeholder?.repositories ?? []].map((repository): Effect => ({
      type: "clearPullRequestRef",
      repository,
      id,
      keep: pullRequest.commit,
    })),
    ...clearFalseClaim(input),
  ];
  if (input.complete) {
    return {
      verdict: ACCEPTED,
      effects: [...effects, { type: "release", incomingPullRequest: pullRequest }],
    };
  }
  const isFull = input.waitingForTarget >= LIMIT.waitingPullRequestsPerRepository ||
    input.waitingInTotal >= (input.related ? LIMIT.waitingPullRequests : LIMIT.waitingContributions);
  if (isFull) {
    return refused(refuse("rate-limited", "rate_limited", "too many repositories waiting for git data"));
  }
  return { verdict: HELD, effects: [...effects, ...holdPullRequest(pullRequest, source, now)] };
}

/**
 * A commit pushed below `/prs/` for this event id counts only when the event is the submitter's, names
 * that repository in `a` and `clone`, and asks for that commit; otherwise its ref goes.
 */
function clearFalseClaim({ pullRequest, placeholder, contributions, offered }: PullRequestCase): Effect[] {
  const scope = placeholder?.scope;
  if (!placeholder || !scope) return [];
  const { event, commit } = pullRequest;
  const isClaim = scope.owner === event.pubkey && contributions.includes(scope.identifier) &&
    placeholder.commit === commit && offered === commit;
  return isClaim ? [] : [{ type: "clearContribution", scope, id: event.id }];
}

/** The effects that put a new pull request into purgatory. */
export function holdPullRequest(pullRequest: PullRequest, source: WaitingSource, now: number): Effect[] {
  const { event, declaredCommit, targets } = pullRequest;
  const row: WaitingPullRequest = {
    event,
    commit: declaredCommit,
    targets,
    source,
    firstEnteredAt: now,
    enteredAt: now,
    deadlineAt: now + DURATION.pullRequestMs,
  };
  return [{ type: "holdPullRequest", row }, { type: "forgetExpired", id: event.id }];
}

/** A user's copy of a synced waiting pull request makes it direct and restarts its window. */
function resubmitted(waiting: WaitingPullRequest, source: WaitingSource, now: number): Decision {
  if (source === "sync" || waiting.source === "direct") return duplicate(IN_PURGATORY_MESSAGE);
  const deadlineAt = Math.min(
    now + DURATION.pullRequestMs,
    waiting.firstEnteredAt + DURATION.pullRequestCapMs,
  );
  return {
    verdict: { ok: true, outcome: "duplicate", message: IN_PURGATORY_MESSAGE },
    effects: [{ type: "holdPullRequest", row: { ...waiting, source: "direct", enteredAt: now, deadlineAt } }],
  };
}
