import {
  contributionsNamed,
  isPullRequest,
  KIND,
  type NostrEvent,
  parseCoordinate,
  parsePullRequest,
  pullRequestIdOf,
  tagsNamed,
  ZERO_OID,
} from "../nostr/mod.ts";
import type { RepositoryKey } from "../store/types.ts";
import type { RefCommand } from "./ref_command.ts";

/** Prefix of every reason for which a push below `/prs/` is refused (GRASP-06). */
export const CONTRIBUTION_PREFIX = "GRASP-06: ";

/** What is known about the event id of a ref pushed below `/prs/`. */
export type ContributionKnowledge =
  | { readonly type: "unknown" }
  /** Pushed before, event still unknown; without a scope it came to a hosted repository. */
  | { readonly type: "placeholder"; readonly scope: RepositoryKey | undefined }
  /** An event of another kind, or no longer of use. */
  | { readonly type: "otherKind" }
  | { readonly type: "waiting" | "served"; readonly event: NostrEvent };

/** Where a contribution is pushed to, and the name of this service. */
export interface ContributionPlace {
  /** Submitter and identifier of the URL. */
  readonly repository: RepositoryKey;
  /** Normalised domain of this service. */
  readonly domain: string;
}

/**
 * Why a push below `/prs/` is refused whatever is known about its events: one reason per ref at
 * fault, empty when there is none. Deletions and everything but `refs/nostr/<event-id>` are.
 */
export function contributionRefProblems(
  commands: readonly RefCommand[],
  maxRefs: number,
): ReadonlyMap<string, string> {
  if (commands.length > maxRefs) {
    const text = `too many refs in one push (${commands.length}, at most ${maxRefs})`;
    return new Map(commands.map(({ ref }) => [ref, text]));
  }
  const problems = new Map<string, string>();
  for (const { ref, newOid } of commands) {
    const problem = refNameProblem(ref) ??
      (newOid === ZERO_OID ? "deleting refs/nostr/ refs is not allowed" : undefined);
    if (problem) problems.set(ref, problem);
  }
  return problems;
}

function refNameProblem(ref: string): string | undefined {
  if (pullRequestIdOf(ref) !== undefined) return undefined;
  const only = "only pushes to refs/nostr/<event-id> are accepted";
  if (!ref.startsWith("refs/nostr/")) return `${only} (ref ${ref} is outside refs/nostr/)`;
  const length = ref.slice("refs/nostr/".length).length;
  return length === 64
    ? `${only} (event-id segment of ${ref} is not lowercase hex)`
    : `${only} (event-id segment of ${ref} is ${length} chars, expected 64)`;
}

/**
 * Why this ref may not be pushed to a contributor's repository; undefined when it may. Its event,
 * once known, has to be the contributor's pull request for exactly this commit and place.
 */
export function judgeContribution(
  { ref, newOid }: RefCommand,
  known: ContributionKnowledge,
  place: ContributionPlace,
): string | undefined {
  const id = pullRequestIdOf(ref)!;
  switch (known.type) {
    case "unknown":
      return undefined;
    case "placeholder":
      return scopeProblem(ref, known.scope, place.repository);
    case "otherKind":
      return `event ${id} is not a pull request`;
    case "waiting":
    case "served":
      if (!isPullRequest(known.event.kind)) return `event ${id} is not a pull request`;
      return eventProblem(known.event, known.type === "waiting" ? `${id} (purgatory)` : id, newOid, place);
  }
}

function scopeProblem(
  ref: string,
  scope: RepositoryKey | undefined,
  { owner, identifier }: RepositoryKey,
): string | undefined {
  if (!scope || (scope.owner === owner && scope.identifier === identifier)) return undefined;
  return `ref ${ref} pre-registered under a different /prs/ scope (${scope.owner}/${scope.identifier})`;
}

function eventProblem(
  event: NostrEvent,
  name: string,
  pushed: string,
  { repository: { owner, identifier }, domain }: ContributionPlace,
): string | undefined {
  const parsed = parsePullRequest(event);
  if (!parsed.ok) return `PR event ${name} has no \`c\` tag`;
  const { commit, targets } = parsed.pullRequest;
  if (commit !== pushed) return `PR event ${name} specifies commit ${commit}, but push contains ${pushed}`;
  if (event.pubkey !== owner) {
    return `PR event ${name} is signed by ${event.pubkey} which does not match /prs/ submitter ${owner}`;
  }
  if (!targets.some((target) => target.identifier === identifier)) {
    const found = anyIdentifier(event);
    return found === undefined
      ? `PR event ${name} has no parsable a-tag identifier`
      : `PR event ${name} has a-tag identifier ${found} which does not match /prs/ identifier ${identifier}`;
  }
  if (!contributionsNamed(event, domain).has(identifier)) {
    return `PR event ${name} has no \`clone\` tag naming this relay's /prs/<npub>/<identifier>.git endpoint`;
  }
  return undefined;
}

function anyIdentifier(event: NostrEvent): string | undefined {
  const coordinates = tagsNamed(event, "a").map(([, value]) =>
    value === undefined ? undefined : parseCoordinate(value)
  );
  const found = coordinates.find((coordinate) => coordinate?.kind === KIND.announcement);
  return found === undefined || found.identifier === "" ? undefined : found.identifier;
}
