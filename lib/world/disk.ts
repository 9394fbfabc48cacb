import { statfs } from "node:fs/promises";

/** Free space for us on the file system of `path`, in bytes. Rejects when it cannot be read. */
export async function freeBytes(path: string): Promise<number> {
  return (await diskSpace(path)).free;
}

/** Free space for us, and size, of the file system of `path`, in bytes. Rejects when it cannot be read. */
export async function diskSpace(path: string): Promise<{ readonly free: number; readonly total: number }> {
  const { bavail, blocks, bsize } = await statfs(path);
  return { free: bavail * bsize, total: blocks * bsize };
}
