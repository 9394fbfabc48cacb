import { statfs } from "node:fs/promises";

/** Free space for us on the file system of `path`, in bytes. Rejects when it cannot be read. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
