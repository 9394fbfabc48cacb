import { pullRequestIdOf, ZERO_OID } from "../nostr/mod.ts";
import type { RefCommand } from "./ref_command.ts";

/** What is known about the event id of a pushed `refs/nostr/` ref. */
export type PullRequestKnowledge =
  | { readonly type: "unknown"; readonly id: string }
  /** Pushed before, event still unknown. */
  | { readonly type: "placeholder"; readonly id: string }
  | { readonly type: "waiting" | "served"; readonly id: string; readonly commit: string | undefined }
  /** An event of another kind. */
  | { readonly type: "otherKind"; readonly id: string };

/**
 * Why a `refs/nostr/` ref may not be pushed; undefined when it may. Anyone may offer the commits of a
 * pull request, also before its event is known: the event decides afterwards (git chapter, 2.8).
 */
export function judgePullRequestRef(
  { ref, newOid }: RefCommand,
  known: PullRequestKnowledge | undefined,
  placeholdersFull: boolean,
): string | undefined {
  const id = pullRequestIdOf(ref);
  if (id === undefined || known === undefined) return `Invalid event ID format in ref: ${ref}`;
  if (newOid === ZERO_OID) return "deleting refs/nostr/ refs is not allowed";
  switch (known.type) {
    case "unknown":
      return placeholdersFull ? "too many unannounced PR refs" : undefined;
    case "placeholder":
      return undefined;
    case "otherKind":
      return `event ${id} is not a pull request`;
    case "served":
    case "waiting":
      return commitProblem(id, known, newOid);
  }
}

function commitProblem(
  id: string,
  { type, commit }: { readonly type: "waiting" | "served"; readonly commit: string | undefined },
  pushed: string,
): string | undefined {
  if (commit === undefined) return `PR event ${id} has no \`c\` tag`;
  if (commit === pushed) return undefined;
  const where = type === "waiting" ? " (purgatory)" : "";
  return `PR event ${id}${where} specifies commit ${commit}, but push contains ${pushed}`;
}
