import { decodeNpub } from "../nostr/mod.ts";
import { directoriesIn, isCreationName } from "./repository_names.ts";

/** A lock file this old belongs to nobody while the server runs. */
export const STALE_LOCK_MS = 3_600_000;
/** Entries looked at per repository when searching for lock files. */
const MAX_ENTRIES = 200_000;

/**
 * Removes what killed git children leave in a repository nobody uses: quarantine directories,
 * temporary packs and downloads, what keeps a pack from being packed again, and lock files last changed before `locksBefore` (ms). Ends as soon as
 * `isIdle` says that a use has begun: what was listed may be that one's by then.
 */
export async function removeLeftovers(
  path: string,
  locksBefore: number,
  isIdle: () => boolean,
): Promise<void> {
  const removeAll = async (folder: string, isLeft: (name: string) => boolean) => {
    for (const name of (await namesIn(folder)).filter(isLeft)) {
      if (isIdle()) await removeTree(`${folder}/${name}`);
    }
  };
  const objects = `${path}/objects`;
  await removeAll(objects, (name) => /^(tmp_objdir-|incoming-)/.test(name));
  for (const name of await namesIn(objects)) {
    if (/^[0-9a-f]{2}$/.test(name)) await removeAll(`${objects}/${name}`, isDownload);
  }
  await removeAll(`${objects}/pack`, (name) => /^(tmp_|\.tmp-)/.test(name) || isDownload(name));
  for (const file of [...await lonelyIndexes(`${objects}/pack`), ...await keptByGit(`${objects}/pack`)]) {
    if (isIdle()) await removeTree(file);
  }
  for (const { file, changedAt } of await lockFiles(path)) {
    if (changedAt < locksBefore && isIdle()) await removeTree(file);
  }
}

/** What git was fetching from a server without upload-pack, file by file. */
function isDownload(name: string): boolean {
  return name.endsWith(".temp");
}

/** Indexes without their pack. A listing may miss what is made meanwhile, and git makes the pack first. */
async function lonelyIndexes(folder: string): Promise<string[]> {
  const names = new Set(await namesIn(folder));
  const lonely: string[] = [];
  for (const name of names) {
    const pack = name.replace(/\.idx$/, ".pack");
    if (pack === name || names.has(pack)) continue;
    if (await isMissing(`${folder}/${pack}`)) lonely.push(`${folder}/${name}`);
  }
  return lonely;
}

/** What git keeps new packs with until refs name them; people's own `.keep` files say something else. */
async function keptByGit(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await namesIn(folder)) {
    if (!name.endsWith(".keep")) continue;
    const text = await Deno.readTextFile(`${folder}/${name}`).catch(() => "");
    if (/^(receive|fetch)-pack \d+ on /.test(text)) found.push(`${folder}/${name}`);
  }
  return found;
}

async function isMissing(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => false, (error) => error instanceof Deno.errors.NotFound);
}

/** True when some git process left, or holds, a lock in the repository. */
export async function hasLocks(path: string): Promise<boolean> {
  return (await lockFiles(path)).length > 0;
}

/** Removes repositories under `root` that were still being created when the server stopped. */
export async function removeStaleCreations(root: string): Promise<void> {
  for (const folder of await directoriesIn(root)) {
    if (decodeNpub(folder) === undefined) continue;
    for (const name of await directoriesIn(`${root}/${folder}`)) {
      if (isCreationName(name)) await removeTree(`${root}/${folder}/${name}`);
    }
  }
}

interface LockFile {
  readonly file: string;
  /** Milliseconds. */
  readonly changedAt: number;
}

async function lockFiles(path: string): Promise<LockFile[]> {
  const found: LockFile[] = [];
  for (const folder of [path, `${path}/objects/pack`, `${path}/objects/info`]) {
    for (const name of await namesIn(folder)) await addLock(found, `${folder}/${name}`);
  }
  const folders = [`${path}/refs`];
  for (let looked = 0; folders.length > 0 && looked < MAX_ENTRIES;) {
    const folder = folders.pop()!;
    for (const name of await namesIn(folder)) {
      looked++;
      const entry = await Deno.lstat(`${folder}/${name}`).catch(() => undefined);
      if (entry?.isDirectory) folders.push(`${folder}/${name}`);
      else await addLock(found, `${folder}/${name}`);
    }
  }
  return found;
}

async function addLock(found: LockFile[], file: string): Promise<void> {
  // git writes the other one under its lock, and never over one that is there.
  if (!file.endsWith(".lock") && !file.endsWith("/packed-refs.new")) return;
  const entry = await Deno.lstat(file).catch(() => undefined);
  if (entry?.isFile && entry.mtime) found.push({ file, changedAt: entry.mtime.getTime() });
}

async function namesIn(path: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(path)) names.push(entry.name);
  } catch {
    // Nothing there.
  }
  return names;
}

async function removeTree(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch(() => {});
}
