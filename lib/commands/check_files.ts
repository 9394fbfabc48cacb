import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { freeBytes } from "../world/mod.ts";
import { causeOf, type CheckResult, resultsOf } from "./check_result.ts";

/** `statfs` type of a file system that is gone after a restart of the machine. */
const TMPFS = 0x01021994;

/** A directory is, or can be made, writable. Leaves nothing behind. */
export async function checkDirectory(
  id: string,
  option: string,
  path: string,
): Promise<readonly CheckResult[]> {
  const { ok, warn, fail } = resultsOf(id);
  const existing = await nearestExisting(path);
  const info = await Deno.stat(existing).catch(() => undefined);
  if (info === undefined || !info.isDirectory) return [fail(`${option} ${path} is not a directory`)];
  const writable = await probe(existing);
  if (writable !== undefined) {
    return [fail(`${option} ${path} is not writable by uid ${uidText()}: ${writable}`)];
  }
  const results = [ok(existing === path ? `${path} is writable` : `${path} will be created`)];
  if (existing === path && info.mode !== null && (info.mode & 0o022) !== 0) {
    results.push(warn(`${path} is writable by others (mode ${(info.mode & 0o777).toString(8)})`));
  }
  const fileSystem = await statfs(existing).catch(() => undefined);
  if (fileSystem?.type === TMPFS) {
    results.push(warn(`${path} is on tmpfs: its content is lost with the machine's memory`));
  }
  return results;
}

/** Free space on the file systems of `paths` against the configured minimum (MiB; 0 disables). */
export async function checkDisk(
  paths: readonly string[],
  minimumMb: number,
): Promise<readonly CheckResult[]> {
  const { ok, warn, fail, skip } = resultsOf("disk");
  if (minimumMb === 0) return [skip("NGIT_MIN_FREE_DISK_MB=0")];
  const results = await Promise.all(paths.map(async (path) => {
    try {
      const freeMb = Math.floor(await freeBytes(await nearestExisting(path)) / 1024 / 1024);
      const text = `${path}: ${freeMb} MB free, minimum ${minimumMb} MB`;
      return freeMb < minimumMb ? fail(text) : freeMb < 2 * minimumMb ? warn(text) : ok(text);
    } catch (error) {
      return warn(`${path}: free space cannot be read: ${causeOf(error)}`);
    }
  }));
  return results.length > 0 ? results : [skip("no path to check")];
}

/** Files of other programs in our directories. */
export async function checkStateFiles(gitPath: string, relayPath: string): Promise<readonly CheckResult[]> {
  const { ok, warn } = resultsOf("state-files");
  const imported = "belongs to the Rust ngit-grasp and will be imported and renamed at the next start";
  const candidates = [
    { path: `${gitPath}/purgatory-state.json`, fate: imported },
    { path: `${gitPath}/rejected-events-cache.json`, fate: imported },
    { path: `${relayPath}/data.mdb`, fate: "belongs to an LMDB database and is left alone by this version" },
    {
      path: `${relayPath}/KEYREGISTRY`,
      fate: "belongs to a Badger database and is left alone by this version",
    },
  ];
  const exists = await Promise.all(
    candidates.map(({ path }) => Deno.stat(path).then(() => true, () => false)),
  );
  const found = candidates.filter((_, index) => exists[index]);
  if (found.length === 0) return [ok("no files of another program")];
  return found.map(({ path, fate }) => warn(`${path} ${fate}`));
}

/** When the newest of the files was written (ms since the epoch); undefined when none is there. */
export async function newestFile(paths: readonly string[]): Promise<number | undefined> {
  const times = await Promise.all(
    paths.map((path) => Deno.stat(path).then((info) => info.mtime?.getTime() ?? -Infinity, () => -Infinity)),
  );
  const newest = Math.max(...times);
  return Number.isFinite(newest) ? newest : undefined;
}

/** The path itself, or its closest ancestor that exists. */
export async function nearestExisting(path: string): Promise<string> {
  for (let at = path;; at = dirname(at)) {
    if (
      at === dirname(at) ||
      await Deno.lstat(at).then(() => true, (error) => !(error instanceof Deno.errors.NotFound))
    ) {
      return at;
    }
  }
}

/** Why no file can be created in `directory`, or undefined. */
async function probe(directory: string): Promise<string | undefined> {
  const path = `${directory}/.ngit-grasp-probe-${Deno.pid}`;
  try {
    (await Deno.open(path, { write: true, createNew: true, mode: 0o600 })).close();
    await Deno.remove(path);
    return undefined;
  } catch (error) {
    return causeOf(error);
  }
}

function uidText(): string {
  try {
    return String(Deno.uid());
  } catch {
    return "unknown"; // not permitted to know; the message is understood without
  }
}
