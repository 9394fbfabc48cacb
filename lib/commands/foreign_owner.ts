import { LOCK_FILE } from "../store/mod.ts";

/**
 * Why root must not change the data in `gitPath`: they are another user's, and a lock, database or pack
 * that root makes there may keep that user's server from starting. Undefined when nothing is wrong.
 */
export async function foreignOwner(gitPath: string): Promise<string | undefined> {
  if (!isRoot()) return undefined;
  // Whoever made the lock is the user the server runs as.
  const entry = await Deno.stat(`${gitPath}/${LOCK_FILE}`).catch(() => undefined) ??
    await Deno.stat(gitPath).catch(() => undefined);
  return entry?.uid
    ? `${gitPath} is the data of uid ${entry.uid}: run this as that user, not as root (sudo -u '#${entry.uid}' ...)`
    : undefined;
}

function isRoot(): boolean {
  try {
    return Deno.uid() === 0;
  } catch {
    return false; // not permitted to know
  }
}
