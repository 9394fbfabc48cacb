import { join } from "node:path";

/** In a data directory that is or was held. */
export const LOCK_FILE = ".ngit-grasp.lock";

/** A held data directory. */
export interface DirectoryLock {
  /** Gives the directory back; the file stays, only its lock counts. */
  release(): Promise<void>;
}

/**
 * Takes the data directory `path` for this process (number `pid`). The operating system drops the
 * lock with the process, however it ends. Throws `data directory <path> is in use by pid <n>`.
 */
export async function lockDataDirectory(path: string, pid: number): Promise<DirectoryLock> {
  const name = join(path, LOCK_FILE);
  const file = await Deno.open(name, { read: true, write: true, create: true });
  try {
    if (!await file.tryLock(true)) {
      throw new Error(`data directory ${path} is in use by pid ${await holder(file)}`);
    }
    await file.truncate(0);
    await file.write(new TextEncoder().encode(`${pid}\n`));
    await file.sync();
  } catch (cause) {
    file.close();
    throw cause;
  }
  let held = true;
  return {
    release: async () => {
      if (!held) return;
      held = false;
      await file.unlock();
      file.close();
    },
  };
}

/** The pid in the lock file; `unknown` in the instant before its holder has written it. */
async function holder(file: Deno.FsFile): Promise<string> {
  const buffer = new Uint8Array(32);
  const length = await file.read(buffer) ?? 0;
  return /^\d+/.exec(new TextDecoder().decode(buffer.subarray(0, length)))?.[0] ?? "unknown";
}
