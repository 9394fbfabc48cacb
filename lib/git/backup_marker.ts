import { kill } from "node:process";
import type { Clock } from "../world/mod.ts";

/** In the git data path: `<pid> <ms since the epoch>` of the process that makes a backup. */
const MARKER = ".backup-running";
/** An older marker is left over, whatever its pid means by now. */
const MAX_AGE_MS = 86_400_000;
const MAX_MARKER_BYTES = 100;

/** Who is making a backup of the git data. */
export interface BackupRunner {
  readonly pid: number;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/** The backup that is being made of the repositories below `root`: nothing may be pruned meanwhile. */
export async function runningBackup(root: string, clock: Clock): Promise<BackupRunner | undefined> {
  const path = `${root}/${MARKER}`;
  const entry = await Deno.stat(path).catch(() => undefined);
  if (!entry?.isFile || entry.size > MAX_MARKER_BYTES) return undefined;
  const text = await Deno.readTextFile(path).catch(() => "");
  const [, pid, startedAt] = (/^(\d+) (\d+)\n$/.exec(text) ?? []).map(Number);
  if (pid === undefined || startedAt === undefined) return undefined;
  const isFresh = Math.abs(clock.now() - startedAt) < MAX_AGE_MS;
  return isFresh && isAlive(pid) ? { pid, startedAt } : undefined;
}

/**
 * Says that this process makes a backup; the returned function ends it. Undefined when another backup
 * is being made. Rejects when the git data path cannot be written to.
 */
export async function markBackup(root: string, clock: Clock): Promise<(() => Promise<void>) | undefined> {
  const path = `${root}/${MARKER}`;
  if (await runningBackup(root, clock)) return undefined;
  await Deno.remove(path).catch(() => {});
  try {
    await Deno.writeTextFile(path, `${Deno.pid} ${clock.now()}\n`, { createNew: true });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return undefined; // somebody else was faster
    throw error;
  }
  return () => Deno.remove(path).catch(() => {});
}

function isAlive(pid: number): boolean {
  try {
    kill(pid, 0);
    return true;
  } catch (error) {
    // Only a clear answer counts: it may be another user's, or this process may not ask (`--allow-run=git`).
    return (error as { code?: string }).code !== "ESRCH";
  }
}
