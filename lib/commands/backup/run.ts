import { basename, dirname, relative } from "node:path";
import { markBackup } from "../../git/mod.ts";
import type { Logger } from "../../observe/mod.ts";
import { StoredData } from "../../store/mod.ts";
import { type Clock, freeBytes } from "../../world/mod.ts";
import type { Progress } from "../progress.ts";
import { type Archive, DirectoryArchive } from "./archive.ts";
import { findGitTree, type GitTree, reasonOf, type Unreadable } from "./git_tree.ts";
import { DATABASE_FILE, GIT_FOLDER, KEY_FILE, MANIFEST, type Manifest, manifestOf } from "./manifest.ts";
import { copyRepository } from "./repository_copy.ts";
import { bytesToCopy } from "./space.ts";
import { TarArchive } from "./tar_archive.ts";

/** What to back up, and where to. Paths are absolute. */
export interface BackupOptions {
  /** A directory, or a file whose name ends in `.tar`, `.tar.gz` or `.tgz`. */
  readonly to: string;
  readonly gitPath: string;
  /** Undefined to leave the database out. */
  readonly databasePath: string | undefined;
  /** Content of the key file; undefined to leave it out. */
  readonly key: string | undefined;
  /** Share immutable files with the data directory where the file system allows it. */
  readonly mayLink: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly progress: Progress;
}

/** How a backup ended: its manifest, or one sentence why there is none. */
export type BackupResult =
  | { readonly ok: true; readonly manifest: Manifest }
  | { readonly ok: false; readonly reason: string };

/**
 * Makes a backup while a server may be running. The database is copied first and repositories second:
 * everything a stored state names was there before, and nothing is pruned meanwhile.
 */
export async function runBackup(options: BackupOptions): Promise<BackupResult> {
  const { to, gitPath, clock } = options;
  const refused = await refusal(options) ?? await databaseProblem(options);
  if (refused !== undefined) return { ok: false, reason: refused };
  let unmark: (() => Promise<void>) | undefined;
  let archive: Archive | undefined;
  try {
    unmark = await markBackup(gitPath, clock);
    if (!unmark) return { ok: false, reason: `another backup of ${gitPath} is running` };
    const tree = await findGitTree(gitPath);
    const missing = await missingSpace(options, tree);
    if (missing !== undefined) return { ok: false, reason: missing };
    archive = isTar(to)
      ? await TarArchive.create(to, options.key !== undefined)
      : await DirectoryArchive.create(to, options.mayLink);
    const manifest = await fill(archive, options, tree);
    await archive.finish();
    return { ok: true, manifest };
  } catch (error) {
    await archive?.abandon();
    const left = archive ? `; what was written is left as ${to}.partial` : "";
    return { ok: false, reason: `the backup failed: ${reasonOf(error)}${left}` };
  } finally {
    options.progress.done();
    await unmark?.();
  }
}

async function refusal({ to, gitPath, databasePath }: BackupOptions): Promise<string | undefined> {
  const exists = async (path: string) => await Deno.lstat(path).then(() => true, () => false);
  if (!await exists(gitPath)) return `there is no git data at ${gitPath}`;
  if (await exists(to)) return `${to} exists; a backup needs a name of its own`;
  if (await exists(`${to}.partial`)) {
    return `${to}.partial is left of a backup that was interrupted or is running; remove it, or use another name`;
  }
  const data = [gitPath, ...databasePath === undefined ? [] : [dirname(databasePath)]];
  const around = data.find((path) => !relative(path, to).startsWith(".."));
  return around === undefined ? undefined : `${to} lies inside ${around}, which is what is backed up`;
}

async function databaseProblem({ databasePath, clock, log }: BackupOptions): Promise<string | undefined> {
  if (databasePath === undefined) return undefined;
  try {
    (await StoredData.open({ location: databasePath, clock, log })).close();
  } catch (error) {
    return reasonOf(error);
  }
}

function isTar(path: string): boolean {
  return /\.(tar|tar\.gz|tgz)$/.test(basename(path));
}

/** A sentence when the target has too little room; a compressed one may need less. */
async function missingSpace(options: BackupOptions, tree: GitTree): Promise<string | undefined> {
  const { to, gitPath, databasePath, mayLink } = options;
  let folder = dirname(to);
  while (!await Deno.stat(folder).then(() => true, () => false)) folder = dirname(folder);
  const needed = await bytesToCopy({
    gitPath,
    repositories: tree.repositories,
    databasePath,
    linksTo: mayLink && !isTar(to) ? folder : undefined,
  });
  const free = await freeBytes(folder);
  if (free >= needed) return undefined;
  const mebibytes = (bytes: number) => `${Math.ceil(bytes / (1 << 20))} MiB`;
  return `a backup needs about ${mebibytes(needed)}, and ${folder} has ${mebibytes(free)} free`;
}

async function fill(archive: Archive, options: BackupOptions, tree: GitTree): Promise<Manifest> {
  const { clock, key } = options;
  const startedAt = new Date(clock.now()).toISOString();
  const database = await copyDatabase(archive, options);
  const git = await copyGit(archive, options, tree);
  if (key !== undefined) await archive.bytes(KEY_FILE, encoded(key), 0o600);
  const finishedAt = new Date(clock.now()).toISOString();
  const manifest = manifestOf({ startedAt, finishedAt, database, git, keyIncluded: key !== undefined });
  await archive.bytes(MANIFEST, encoded(JSON.stringify(manifest, null, 2) + "\n"));
  return manifest;
}

async function copyDatabase(
  archive: Archive,
  { databasePath, clock, log, progress }: BackupOptions,
): Promise<Manifest["database"]> {
  if (databasePath === undefined) return null;
  progress.stage("copying the database", 0);
  await archive.folder(dirname(DATABASE_FILE));
  const copy = archive.workPath(`${DATABASE_FILE}.new`);
  await removeIfThere(copy); // left by a backup that was killed
  try {
    const live = await StoredData.open({ location: databasePath, clock, log });
    try {
      await live.copyTo(copy);
    } finally {
      live.close();
    }
    const data = await StoredData.open({ location: copy, clock, log });
    const counts = await data.counts();
    const { schemaVersion } = data;
    data.close();
    const { size } = await Deno.stat(copy);
    await archive.adopt(DATABASE_FILE, copy);
    return { schema: schemaVersion, bytes: size, ...counts };
  } finally {
    await removeIfThere(copy);
  }
}

async function removeIfThere(path: string): Promise<void> {
  await Deno.remove(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

async function copyGit(
  archive: Archive,
  { gitPath, progress }: BackupOptions,
  before: GitTree,
): Promise<Manifest["git"]> {
  await archive.folder(GIT_FOLDER);
  // Repositories announced since the space was measured are in the database, so they belong here too.
  const tree = await findGitTree(gitPath);
  progress.stage("copying repositories", Math.max(tree.repositories.length, before.repositories.length));
  const unreadable: Unreadable[] = [...tree.unreadable];
  const total = { repositories: 0, files: 0, bytes: 0, linkedBytes: 0 };
  for (const path of tree.repositories) {
    const target = `${GIT_FOLDER}/${path}`;
    try {
      const { files, bytes, linkedBytes } = await copyRepository(archive, `${gitPath}/${path}`, target);
      total.repositories++;
      total.files += files;
      total.bytes += bytes;
      total.linkedBytes += linkedBytes;
    } catch (error) {
      await archive.discard(target);
      const isGone = !await Deno.lstat(`${gitPath}/${path}`).then(() => true, () => false);
      if (!isGone) unreadable.push({ path, reason: reasonOf(error) });
    }
    progress.advance();
  }
  for (const path of tree.files) {
    await archive.folder(`${GIT_FOLDER}/${dirname(path)}`);
    await archive.bytes(`${GIT_FOLDER}/${path}`, await Deno.readFile(`${gitPath}/${path}`)).catch((error) =>
      unreadable.push({ path, reason: reasonOf(error) })
    );
  }
  return { ...total, unreadable };
}

function encoded(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
