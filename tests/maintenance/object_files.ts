import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import { git } from "../support/git_client.ts";
import type { VirtualClock } from "../support/virtual_clock.ts";

/**
 * Makes a loose object of `text` and then `binary` in the repository at `path`, last changed at `now` (ms), as
 * git does for one that is not there or in a cruft pack. Returns its id.
 */
export async function writeLoose(
  path: string,
  now: number,
  type: string,
  text: string,
  binary: Uint8Array = new Uint8Array(),
): Promise<string> {
  const body = Buffer.concat([Buffer.from(text), binary]);
  const bytes = Buffer.concat([Buffer.from(`${type} ${body.length}\0`), body]);
  const oid = createHash("sha1").update(bytes).digest("hex");
  const folder = `${path}/objects/${oid.slice(0, 2)}`;
  const date = new Date(now);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(`${folder}/${oid.slice(2)}`, deflateSync(bytes));
  await Deno.utime(`${folder}/${oid.slice(2)}`, date, date);
  return oid;
}

/**
 * Dates files of objects in the repository at `path` that were last changed before `before` (ms) to `now`: git
 * dates them by the machine's clock, but they were written at the time of a virtual one.
 */
export async function dateFiles(path: string, before: number, now: number): Promise<void> {
  const date = new Date(now);
  for (const folder of await Array.fromAsync(Deno.readDir(`${path}/objects`))) {
    if (!/^([0-9a-f]{2}|pack)$/.test(folder.name)) continue;
    const directory = `${path}/objects/${folder.name}`;
    for (const { name } of await Array.fromAsync(Deno.readDir(directory))) {
      const { mtime } = await Deno.stat(`${directory}/${name}`);
      if (mtime!.getTime() < before) await Deno.utime(`${directory}/${name}`, date, date);
    }
  }
}

/** Runs git and kills it with all its children after `ms`. */
export async function runKilled(args: readonly string[], ms: number): Promise<void> {
  const child = new Deno.Command("setsid", {
    args: ["git", ...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => {
    try {
      Deno.kill(-child.pid, "SIGKILL");
    } catch {
      // It had ended by itself, or has not become a leader yet.
    }
  }, ms);
  await child.status;
  clearTimeout(timer);
}

/** Ids of all objects of the repository at `path`. */
export async function presentIn(path: string): Promise<Set<string>> {
  const what = ["--batch-all-objects", "--unordered", "--batch-check=%(objectname)"];
  return new Set((await git(path, "cat-file", ...what)).split("\n").filter(Boolean));
}

/** Ids of the objects that `from` reaches. Throws when one is missing. */
export async function reachedIn(path: string, ...from: string[]): Promise<string[]> {
  const what = ["-c", "core.commitGraph=false", "rev-list", "--objects", "--no-object-names"];
  return (await git(path, ...what, ...from)).split("\n").filter(Boolean);
}

/** What `work` comes to, while the clock moves on by `stepMs` again and again. */
export async function letTimePass<T>(work: Promise<T>, clock: VirtualClock, stepMs: number): Promise<T> {
  let isOver = false;
  const ended = work.finally(() => isOver = true);
  while (!isOver) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (stepMs > 0) await clock.advance(stepMs);
  }
  return await ended;
}
