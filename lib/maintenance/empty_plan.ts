import type { RepositoryRef } from "../git/mod.ts";
import type { NostrEvent } from "../nostr/mod.ts";
import type { ContentFinding } from "./repository_content.ts";

/** Which scan found a repository. */
export type EmptyScan =
  /** A served announcement without data. */
  | "announcement"
  /** A directory without announcement. */
  | "directory";

/** What the decision about one repository depends on. */
export interface EmptyCase {
  readonly scan: EmptyScan;
  readonly finding: ContentFinding;
  /** Why it may not be touched, when something in the database says so. */
  readonly protectedBy: string | undefined;
  /** Directories that hold something may go too. */
  readonly purgeOrphans: boolean;
}

/** What becomes of one repository; `failed` = could not be told, nothing is done. */
export type EmptyVerdict = {
  readonly decision: "remove" | "keep" | "failed";
  /** One phrase. */
  readonly reason: string;
};

/** One repository found by a scan, with what would go. */
export interface EmptyEntry extends EmptyVerdict {
  readonly scan: EmptyScan;
  readonly repository: RepositoryRef;
  readonly content: ContentFinding["content"];
  /** The announcement and states that leave with it. */
  readonly events: readonly NostrEvent[];
}

/** Decides about one repository (purgatory 8.3); undefined when it is of no concern: it holds branches. */
export function judgeEmpty(
  { scan, finding, protectedBy, purgeOrphans }: EmptyCase,
): EmptyVerdict | undefined {
  const { content, problem } = finding;
  if (scan === "announcement" && content === "branches") return undefined;
  if (protectedBy !== undefined) return { decision: "keep", reason: protectedBy };
  switch (content) {
    case "unknown":
      return { decision: "failed", reason: problem ?? "it could not be looked at" };
    case "missing":
      return { decision: "remove", reason: "the repository is missing" };
    case "empty":
      return {
        decision: "remove",
        reason: scan === "announcement" ? "the repository is empty" : "empty, and nobody announced it",
      };
    case "objects":
    case "no branches":
    case "branches":
      return judgeFilled(scan, content, purgeOrphans);
  }
}

function judgeFilled(
  scan: EmptyScan,
  content: "objects" | "no branches" | "branches",
  purgeOrphans: boolean,
): EmptyVerdict {
  const what = {
    objects: "holds objects without refs",
    "no branches": "holds neither branch nor tag, but other refs",
    branches: "holds branches or tags",
  }[content];
  const whose = scan === "directory" ? ", and nobody announced it" : "";
  // Objects without refs may be the beginning of a push or a fetch: only a directory nobody announced may go.
  const mayGo = purgeOrphans && (scan === "directory" || content === "no branches");
  if (mayGo) return { decision: "remove", reason: what + whose };
  const hint = scan === "directory" || content === "no branches" ? " (--purge-orphans removes it)" : "";
  return { decision: "keep", reason: what + whose + hint };
}
