/** What {@link bytesToCopy} is asked about. Paths are absolute. */
export interface SpaceQuestion {
  readonly gitPath: string;
  /** Relative to the git data path. */
  readonly repositories: readonly string[];
  readonly databasePath: string | undefined;
  /** A folder on the file system of the target, when files may be shared with it. */
  readonly linksTo: string | undefined;
}

/** Blocks taken by folders and small files of one repository whose objects are shared, in bytes. */
const LINKED_REPOSITORY_BYTES = 128 * 1024;

/** About how many bytes a backup takes on the file system of its target. */
export async function bytesToCopy(question: SpaceQuestion): Promise<number> {
  const { gitPath, repositories, databasePath, linksTo } = question;
  const database = databasePath === undefined
    ? 0
    : await sizeOf(databasePath) + await sizeOf(`${databasePath}-wal`);
  if (linksTo !== undefined && (await Deno.stat(linksTo)).dev === (await Deno.stat(gitPath)).dev) {
    return database + repositories.length * LINKED_REPOSITORY_BYTES;
  }
  let git = 0;
  for (const path of repositories) git += await bytesBelow(`${gitPath}/${path}`);
  return database + git;
}

async function bytesBelow(path: string): Promise<number> {
  let bytes = 0;
  const folders = [path];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
    for (const { name, isDirectory, isFile } of entries) {
      if (isDirectory) folders.push(`${folder}/${name}`);
      else if (isFile) bytes += await sizeOf(`${folder}/${name}`);
    }
  }
  return bytes;
}

async function sizeOf(path: string): Promise<number> {
  return (await Deno.stat(path).catch(() => undefined))?.size ?? 0;
}
