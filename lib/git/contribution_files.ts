import { identifierProblem, isHex64 } from "../nostr/mod.ts";
import { directoriesIn, isCreationName } from "./repository_names.ts";
import type { RepositoryRef } from "./repository_ref.ts";

/** Folder below the git data path that holds contributors' repositories (GRASP-06). */
export const CONTRIBUTIONS = "prs";

/** Entries looked at when a repository is measured. */
const MAX_ENTRIES = 1_000_000;

/** A contributor's repository. */
export type Contribution = RepositoryRef & { readonly space: "prs" };

/** The contributors' repositories below `root`; names that are none of ours are passed over. */
export async function listContributions(root: string): Promise<Contribution[]> {
  const found: Contribution[] = [];
  for (const owner of await submittersIn(root)) {
    for (const name of await directoriesIn(`${root}/${CONTRIBUTIONS}/${owner}`)) {
      const identifier = name.endsWith(".git") ? name.slice(0, -".git".length) : "";
      if (identifierProblem(identifier) === undefined) found.push({ space: "prs", owner, identifier });
    }
  }
  return found;
}

/** Removes what a stop left half created, and submitters' folders with nothing in them. */
export async function removeEmptySubmitters(root: string): Promise<void> {
  for (const owner of await submittersIn(root)) {
    const folder = `${root}/${CONTRIBUTIONS}/${owner}`;
    for (const name of await directoriesIn(folder)) {
      if (isCreationName(name)) await Deno.remove(`${folder}/${name}`, { recursive: true }).catch(() => {});
    }
    await Deno.remove(folder).catch(() => {}); // only when empty
  }
}

async function submittersIn(root: string): Promise<string[]> {
  return (await directoriesIn(`${root}/${CONTRIBUTIONS}`)).filter(isHex64);
}

/** Bytes of all files of the repository at `path`; 0 when it is gone. */
export async function directoryBytes(path: string): Promise<number> {
  let bytes = 0;
  const folders = [path];
  for (let looked = 0; folders.length > 0 && looked < MAX_ENTRIES;) {
    const folder = folders.pop()!;
    for (const { name, isDirectory, isFile } of await Array.fromAsync(Deno.readDir(folder)).catch(() => [])) {
      looked++;
      if (isDirectory) folders.push(`${folder}/${name}`);
      else if (isFile) bytes += (await Deno.lstat(`${folder}/${name}`).catch(() => undefined))?.size ?? 0;
    }
  }
  return bytes;
}

/** When a ref of the repository at `path` was last written, in milliseconds, as far as its files tell. */
export async function refWrittenAt(path: string, ref: string): Promise<number | undefined> {
  const entry = await Deno.lstat(`${path}/${ref}`).catch(() => undefined) ??
    await Deno.lstat(`${path}/packed-refs`).catch(() => undefined);
  return entry?.mtime?.getTime();
}
