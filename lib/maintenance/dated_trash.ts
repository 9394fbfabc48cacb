import type { NostrEvent } from "../nostr/mod.ts";

const TRASH = ".trash";
const MANIFEST = "manifest.jsonl";
const DAY_MS = 86_400_000;
/** How long dated folders are kept. */
const KEEP_MS = 7 * DAY_MS;

/** One line of the manifest of a dated folder. */
export interface TrashLine {
  /** Below the git data path; where the repository was, and where it lies in the dated folder. */
  readonly from: string;
  /** Undefined when there was no directory. */
  readonly to: string | undefined;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly reason: string;
  readonly events: readonly NostrEvent[];
}

/** Name of the folder for things thrown away at `now` (ms): the day in UTC. */
export function datedFolder(now: number): string {
  return `${TRASH}/${new Date(now).toISOString().slice(0, 10)}`;
}

/**
 * Moves a directory (`from`, below `root`) into the folder of the day. Returns where it lies below `root`;
 * undefined when there was none. Throws when it cannot be moved.
 */
export async function throwAway(root: string, from: string, now: number): Promise<string | undefined> {
  const folder = datedFolder(now);
  const [owner, name] = from.split("/") as [string, string];
  await Deno.mkdir(`${root}/${folder}/${owner}`, { recursive: true, mode: 0o750 });
  for (let number = 1;; number++) {
    const to = `${folder}/${owner}/${number === 1 ? name : `${name}-${number}`}`;
    if (await Deno.lstat(`${root}/${to}`).catch(() => undefined)) continue;
    try {
      await Deno.rename(`${root}/${from}`, `${root}/${to}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
    await Deno.remove(`${root}/${owner}`).catch(() => {}); // only when empty
    return to;
  }
}

/** Adds a line to the manifest of the day, durably: it is what a removal can be undone with. */
export async function noteInManifest(root: string, line: TrashLine): Promise<void> {
  const folder = `${root}/${datedFolder(line.at)}`;
  await Deno.mkdir(folder, { recursive: true, mode: 0o750 });
  const file = await Deno.open(`${folder}/${MANIFEST}`, { append: true, create: true, mode: 0o640 });
  try {
    const bytes = new TextEncoder().encode(JSON.stringify(line) + "\n");
    // A nearly full disk takes a part of them without complaint.
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
  } finally {
    file.close();
  }
}

/** Deletes dated folders older than seven days; returns how many. */
export async function emptyDatedTrash(root: string, now: number): Promise<number> {
  let count = 0;
  const entries = await Array.fromAsync(Deno.readDir(`${root}/${TRASH}`)).catch(() => []);
  for (const { name, isDirectory } of entries) {
    const day = /^\d{4}-\d{2}-\d{2}$/.test(name) ? Date.parse(`${name}T00:00:00Z`) : NaN;
    // The day itself is not over when its folder is made.
    if (!isDirectory || Number.isNaN(day) || day + DAY_MS + KEEP_MS > now) continue;
    await Deno.remove(`${root}/${TRASH}/${name}`, { recursive: true });
    count++;
  }
  return count;
}
