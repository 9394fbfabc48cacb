import { decodeNpub, identifierProblem } from "../nostr/mod.ts";
import type { RepositoryRef } from "./repository_ref.ts";

/** True for a name the server itself gives to a directory in `.trash`. */
export function isTrashName(name: string): boolean {
  return /^[0-9a-f]{32}$/.test(name);
}

/** True for the name of a repository that was being created. */
export function isCreationName(name: string): boolean {
  return /^\.new-[0-9a-f]{32}$/.test(name);
}

/** The repositories under `root`; everything else there (`prs`, dot-directories, links) is passed over. */
export async function listRepositories(root: string): Promise<RepositoryRef[]> {
  const found: RepositoryRef[] = [];
  for (const folder of await directoriesIn(root)) {
    const owner = decodeNpub(folder);
    if (owner === undefined) continue;
    for (const name of await directoriesIn(`${root}/${folder}`)) {
      const identifier = name.endsWith(".git") ? name.slice(0, -".git".length) : "";
      if (identifierProblem(identifier) === undefined) found.push({ owner, identifier });
    }
  }
  return found;
}

/** Names of the real directories in `path`; none when it cannot be read. */
export async function directoriesIn(path: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(path)) if (entry.isDirectory) names.push(entry.name);
  } catch {
    // Nothing there.
  }
  return names;
}
