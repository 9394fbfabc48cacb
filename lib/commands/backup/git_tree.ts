/** Folders in the git data path whose name starts with a dot and that belong in a backup. */
const ARCHIVE = ".archive";
/** How deep below the git data path repositories lie: `prs/<hex>/<identifier>.git`. */
const MAX_DEPTH = 3;

/** What the git data path holds; paths relative to it. */
export interface GitTree {
  /** Directories that are repositories. */
  readonly repositories: readonly string[];
  /** Other files: notes beside retired repositories. */
  readonly files: readonly string[];
  /** Folders that cannot be listed, with the reason. */
  readonly unreadable: readonly Unreadable[];
}

/** Something that cannot be copied. */
export interface Unreadable {
  readonly path: string;
  readonly reason: string;
}

/**
 * Finds the repositories below `root`: hosted, contributed and retired ones. Trash, half-made
 * repositories, files of the running server and links are passed over.
 */
export async function findGitTree(root: string): Promise<GitTree> {
  const tree = { repositories: [] as string[], files: [] as string[], unreadable: [] as Unreadable[] };
  await search(root, "", 1, tree);
  tree.repositories.sort();
  return tree;
}

async function search(
  root: string,
  folder: string,
  depth: number,
  tree: { repositories: string[]; files: string[]; unreadable: Unreadable[] },
): Promise<void> {
  let entries: Deno.DirEntry[];
  try {
    entries = await Array.fromAsync(Deno.readDir(`${root}/${folder}`));
  } catch (error) {
    if (depth > 1 && error instanceof Deno.errors.NotFound) return; // gone meanwhile
    tree.unreadable.push({ path: folder || ".", reason: reasonOf(error) });
    return;
  }
  for (const { name, isDirectory, isFile } of entries) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (name.startsWith(".") && path !== ARCHIVE) continue;
    if (isFile && folder.startsWith(ARCHIVE)) tree.files.push(path);
    if (!isDirectory) continue;
    if (await isRepository(`${root}/${path}`)) tree.repositories.push(path);
    else if (depth < MAX_DEPTH) await search(root, path, depth + 1, tree);
  }
}

/** Has a HEAD or an objects directory: a damaged repository is one too, and has to be reported. */
async function isRepository(path: string): Promise<boolean> {
  const there = async (name: string) => await Deno.lstat(`${path}/${name}`).then(() => true, () => false);
  return path.endsWith(".git") || await there("HEAD") || await there("objects");
}

/** One line without a stack. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0]!;
}
