import type { NostrEvent } from "../../nostr/mod.ts";

/** Where an export goes on. */
export type Place = Pick<NostrEvent, "created_at" | "id">;

/** Where lines are written to. */
export interface ExportTarget {
  /** The last event of an interrupted export; undefined to begin at the beginning. */
  readonly after: Place | undefined;
  /** Resolves when the text is written; rejects when it cannot be. */
  write(text: string): Promise<void>;
  /** Everything is written: the file gets its name. */
  finish(): Promise<void>;
  close(): void;
}

/** Bytes at the end of a file in which its last whole line is looked for. */
const TAIL_BYTES = 16 << 20;

/**
 * Opens `path` under the name of an incomplete file, or stdout. With `resume` what was written before
 * is kept up to its last whole line.
 */
export async function openTarget(
  path: string | undefined,
  resume: boolean,
): Promise<
  { readonly ok: true; readonly target: ExportTarget } | { readonly ok: false; readonly reason: string }
> {
  if (path === undefined) return { ok: true, target: stdoutTarget() };
  const partial = `${path}.partial`;
  if (await exists(path)) return { ok: false, reason: `${path} exists; an export needs a name of its own` };
  const isThere = await exists(partial);
  if (isThere && !resume) {
    return {
      ok: false,
      reason:
        `${partial} is left of an export that was interrupted or is running; go on with --resume, or remove it`,
    };
  }
  const file = await Deno.open(partial, { read: true, write: true, create: true, mode: 0o640 });
  try {
    if (!await file.tryLock(true)) throw new Error(`${partial} is being written by another export`);
    const after = await cutToLastLine(file);
    if (after === "unreadable") throw new Error(`${partial} does not end in lines of events; remove it`);
    return { ok: true, target: fileTarget(file, path, after) };
  } catch (error) {
    file.close();
    throw error;
  }
}

function fileTarget(file: Deno.FsFile, path: string, after: Place | undefined): ExportTarget {
  return {
    after,
    write: (text) => writeAll(file, text),
    finish: async () => {
      await file.sync();
      await Deno.rename(`${path}.partial`, path);
    },
    close: () => file.close(),
  };
}

function stdoutTarget(): ExportTarget {
  return {
    after: undefined,
    write: (text) => writeAll(Deno.stdout, text),
    finish: () => Promise.resolve(),
    close() {},
  };
}

async function writeAll(
  to: { write(bytes: Uint8Array): Promise<number> },
  text: string,
): Promise<void> {
  for (let rest = new TextEncoder().encode(text); rest.length > 0;) {
    rest = rest.subarray(await to.write(rest));
  }
}

/** Removes a line cut short and returns the event of the last whole one. */
async function cutToLastLine(file: Deno.FsFile): Promise<Place | undefined | "unreadable"> {
  const { size } = await file.stat();
  const start = Math.max(0, size - TAIL_BYTES);
  const tail = await readFrom(file, start, size - start);
  const end = tail.lastIndexOf(10) + 1;
  if (end === 0 && start > 0) return "unreadable";
  await file.truncate(start + end);
  await file.seek(0, Deno.SeekMode.End);
  if (end === 0) return undefined;
  const begin = tail.lastIndexOf(10, end - 2) + 1;
  try {
    const { created_at, id } = JSON.parse(new TextDecoder().decode(tail.subarray(begin, end)));
    const isEvent = Number.isSafeInteger(created_at) && /^[0-9a-f]{64}$/.test(id);
    return isEvent ? { created_at, id } : "unreadable";
  } catch {
    return "unreadable";
  }
}

async function readFrom(file: Deno.FsFile, start: number, length: number): Promise<Uint8Array> {
  await file.seek(start, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
