import type { RepositoryRef } from "../git/mod.ts";
import type { MaintenanceParts } from "./ports.ts";

/** What a repository directory holds, as far as that is proven. */
export type RepositoryContent =
  /** There is no directory. */
  | "missing"
  /** git listed no ref, and there is no object. */
  | "empty"
  /** No ref, but objects. */
  | "objects"
  /** Refs, but neither branch nor tag: pull requests at most. */
  | "no branches"
  | "branches"
  /** git could not list the refs, or this is not a directory of ours. */
  | "unknown";

/** A repository's content, and why it is unknown. */
export interface ContentFinding {
  readonly content: RepositoryContent;
  readonly problem?: string;
}

const TIMEOUT_MS = 60_000;

/** Looks at one repository. Only a successful listing without any line means that there are no refs. */
export async function contentOf(
  { git, repositories, signal }: Pick<MaintenanceParts, "git" | "repositories" | "signal">,
  repository: RepositoryRef,
): Promise<ContentFinding> {
  const path = repositories.path(repository);
  const entry = await Deno.lstat(path).catch((error) => error);
  // A link may lead to a disk that is not mounted.
  const linked = await isLink(path.slice(0, path.lastIndexOf("/")))
    ? unknown("its owner's directory is a link")
    : undefined;
  if (entry instanceof Deno.errors.NotFound) return linked ?? { content: "missing" };
  if (entry instanceof Error) return unknown("it cannot be read");
  if (!entry.isDirectory || entry.isSymlink) return unknown("it is not a directory");
  if (await showsBranches(path)) return { content: "branches" };
  if (linked) return linked;
  const listing = await git.run([`--git-dir=${path}`, "for-each-ref", "--format=%(refname)"], {
    timeoutMs: TIMEOUT_MS,
    signal,
  });
  if (listing.code !== 0) {
    const words = repositories.clean(listing.stderr, repository).trim().split("\n")[0] ?? "";
    return unknown(`git could not list its refs${words === "" ? "" : `: ${words}`}`);
  }
  const refs = new TextDecoder().decode(listing.stdout).split("\n").filter((line) => line !== "");
  if (refs.some((name) => /^refs\/(heads|tags)\//.test(name))) return { content: "branches" };
  if (refs.length > 0) return { content: "no branches" };
  return await hasObjects(`${path}/objects`);
}

async function isLink(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(({ isSymlink }) => isSymlink, () => false);
}

/** Saves asking git about the many repositories that need no attention: a name in sight is proof enough. */
async function showsBranches(path: string): Promise<boolean> {
  const packed = await Deno.readTextFile(`${path}/packed-refs`).catch(() => "");
  if (/^[0-9a-f]{40} refs\/(heads|tags)\//m.test(packed)) return true;
  for (const folder of ["heads", "tags"]) {
    const entries = await Array.fromAsync(Deno.readDir(`${path}/refs/${folder}`)).catch(() => []);
    if (entries.some(({ isFile, name }) => isFile && !name.endsWith(".lock"))) return true;
  }
  return false;
}

/** Anything below `objects` that is no directory counts; what cannot be read is unknown. */
async function hasObjects(objects: string): Promise<ContentFinding> {
  const folders = [objects];
  try {
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      for await (const entry of Deno.readDir(folder)) {
        if (!entry.isDirectory) return { content: "objects" };
        folders.push(`${folder}/${entry.name}`);
      }
    }
  } catch {
    return unknown("its objects cannot be read");
  }
  return { content: "empty" };
}

function unknown(problem: string): ContentFinding {
  return { content: "unknown", problem };
}
