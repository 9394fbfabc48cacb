import { RepositoryError } from "./refs.ts";

/** Folder below the git data path that holds retired repositories; never served. */
const ARCHIVE = ".archive";

/** Facts kept beside a retired repository, for people who look at the disk. */
export interface RetiredNote {
  readonly coordinate: string;
  readonly reason: string;
  /** Milliseconds. */
  readonly retiredAt: number;
}

/**
 * Moves a repository to `.archive/<npub>/<stem>-<unix time>` with a note beside it. Returns the
 * directory below `root`. Running readers keep their open files; new requests find nothing.
 *
 * @param record told the directory before the repository is moved there
 */
export async function moveToArchive(
  root: string,
  { path, npub, stem }: { readonly path: string; readonly npub: string; readonly stem: string },
  note: RetiredNote,
  record?: (directory: string) => Promise<void>,
): Promise<string> {
  let directory = `${ARCHIVE}/${npub}/${stem.slice(0, 60)}-${Math.floor(note.retiredAt / 1000)}`;
  try {
    await Deno.mkdir(`${root}/${ARCHIVE}/${npub}`, { recursive: true, mode: 0o750 });
    directory = await unusedName(root, directory);
    await Deno.writeTextFile(`${root}/${directory}.json`, JSON.stringify(note, null, 2) + "\n");
    await record?.(directory);
    await Deno.rename(path, `${root}/${directory}`);
  } catch (error) {
    throw new RepositoryError(`a repository could not be retired: ${error}`);
  }
  return directory;
}

/** `directory`, or with a number when one request retires several repositories of equal beginning. */
async function unusedName(root: string, directory: string): Promise<string> {
  for (let number = 1;; number++) {
    const name = number === 1 ? directory : `${directory}-${number}`;
    if (!await Deno.lstat(`${root}/${name}.json`).catch(() => undefined)) return name;
  }
}

/** Directories below `root` that hold retired data of a coordinate, in no particular order. */
export async function archivedDirectories(root: string, npub: string, coordinate: string): Promise<string[]> {
  const folder = `${root}/${ARCHIVE}/${npub}`;
  const found: string[] = [];
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
  for (const { name } of entries) {
    if (!name.endsWith(".json")) continue;
    const note = await Deno.readTextFile(`${folder}/${name}`).then(JSON.parse).catch(() => undefined);
    if (note?.coordinate === coordinate) found.push(`${ARCHIVE}/${npub}/${name.slice(0, -".json".length)}`);
  }
  return found;
}

/** Moves a retired repository back to `path`. False when it is no longer there. */
export async function moveFromArchive(root: string, directory: string, path: string): Promise<boolean> {
  assertArchived(directory);
  try {
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o750 });
    await Deno.rename(`${root}/${directory}`, path);
  } catch {
    return false; // gone or in the way: the caller creates a new repository instead
  }
  await Deno.remove(`${root}/${directory}.json`).catch(() => {});
  return true;
}

/** Deletes a retired repository and its note for good; nothing happens when they are gone. */
export async function deleteFromArchive(root: string, directory: string): Promise<void> {
  assertArchived(directory);
  await Deno.remove(`${root}/${directory}`, { recursive: true }).catch(ignoreMissing);
  await Deno.remove(`${root}/${directory}.json`).catch(ignoreMissing);
}

/** Directories come from the database: they still must not lead anywhere else. */
function assertArchived(directory: string): void {
  if (!/^\.archive\/npub1[a-z0-9]{58}\/[^/\0]+$/.test(directory) || /\/\.\.?$/.test(directory)) {
    throw new RepositoryError("not a retired repository");
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
