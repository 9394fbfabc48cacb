import { decodeNpub, identifierProblem } from "../nostr/mod.ts";
import type { RepositoryRef } from "./repository_ref.ts";

/** What is asked of a repository; empty for its page. */
export type GitSubpath = "info/refs" | "git-upload-pack" | "git-receive-pack" | "";

/**
 * A request path read as a repository path. `git` is true when the path has the form of a git
 * endpoint, so that its refusal is a plain text and not a page.
 */
export type GitPath =
  | { readonly ok: true; readonly ref: RepositoryRef; readonly subpath: GitSubpath }
  | { readonly ok: false; readonly status: 400 | 404; readonly git: boolean };

const SUBPATHS: ReadonlySet<string> = new Set<GitSubpath>([
  "info/refs",
  "git-upload-pack",
  "git-receive-pack",
  "",
]);

/**
 * Parses `/<npub>/<identifier>.git[/<subpath>]` (GRASP-01) from the raw request path, without
 * relying on any normalisation done before. A query is ignored.
 */
export function parseGitPath(rawPath: string): GitPath {
  const path = rawPath.replace(/[?#][\s\S]*$/, "");
  const [root, npub, repository, ...rest] = path.split("/");
  const subpath = rest.join("/");
  const isKnown = rest.length === 0 || (SUBPATHS.has(subpath) && subpath !== "");
  if (root !== "" || npub === undefined || repository === undefined || !isKnown) {
    return { ok: false, status: 404, git: false };
  }
  const ref = parseRepositorySegments(npub, repository);
  if (typeof ref === "number") return { ok: false, status: ref, git: subpath !== "" };
  return { ok: true, ref, subpath: subpath as GitSubpath };
}

/**
 * Parses `/prs/<npub>/<identifier>.git[/<subpath>]` (GRASP-06) in the same way; undefined for paths
 * that are not below `/prs/`.
 */
export function parseContributionPath(rawPath: string): GitPath | undefined {
  if (!rawPath.startsWith("/prs/")) return undefined;
  const parsed = parseGitPath(rawPath.slice("/prs".length));
  return parsed.ok ? { ...parsed, ref: { ...parsed.ref, space: "prs" } } : { ...parsed, git: true };
}

/**
 * Reads the two path segments that name a repository, still percent-encoded. A number is the HTTP
 * status to answer: 400 for broken percent-encoding, 404 for anything that is no repository name.
 */
export function parseRepositorySegments(npub: string, repository: string): RepositoryRef | 400 | 404 {
  const owner = decodeNpub(npub);
  if (owner === undefined) return 404;
  let name: string;
  try {
    name = decodeURIComponent(repository);
  } catch {
    return 400;
  }
  if (!name.endsWith(".git")) return 404;
  const identifier = name.slice(0, -".git".length);
  return identifierProblem(identifier) === undefined ? { owner, identifier } : 404;
}
