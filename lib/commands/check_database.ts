import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { causeOf, type CheckResult, resultsOf } from "./check_result.ts";

/** Largest database whose write-ahead log is replayed on a copy, in bytes. */
const MAX_COPY_BYTES = 256 * 1024 * 1024;
/** Largest database whose pages are all read, in bytes: the whole check has to end within seconds. */
const MAX_QUICK_CHECK_BYTES = 1024 * 1024 * 1024;

/** What {@link checkDatabase} found. */
export interface DatabaseCheck {
  readonly results: readonly CheckResult[];
  /** Newest `created_at` of a stored event, in seconds. */
  readonly newestEvent?: number;
}

interface DatabaseFacts {
  readonly version: number;
  readonly isEmpty: boolean;
  readonly damage: string | undefined;
  readonly newestEvent: number | undefined;
}

/**
 * Opens the database without changing a byte of it and compares its schema version with ours.
 *
 * The database client of the store cannot open read-only (it creates and removes the write-ahead
 * log), therefore a copy is read; a file too large to copy is opened in SQLite's immutable mode,
 * which Deno allows only with all permissions.
 */
export async function checkDatabase(path: string, schemaVersion: number): Promise<DatabaseCheck> {
  const { ok, fail, warn } = resultsOf("database");
  const size = await sizeOf(path);
  if (size === undefined) return { results: [ok(`${path} will be created`)] };
  const walSize = await sizeOf(`${path}-wal`) ?? 0;
  if (size === "no file" || walSize === "no file") {
    return { results: [fail(`cannot open database at ${path}: not a regular file`)] };
  }
  const copied = size + walSize <= MAX_COPY_BYTES;
  if (!copied && (walSize > 0 || !await mayOpenImmutable())) {
    return { results: [warn(`${path} is too large to be checked without changing it`)] };
  }
  try {
    const facts = copied
      ? await readCopy(path, walSize > 0)
      : readFacts(immutable(path), size <= MAX_QUICK_CHECK_BYTES);
    const results = [judge(path, facts, schemaVersion)];
    if (size > MAX_QUICK_CHECK_BYTES) results.push(ok("larger than 1 GiB: pages were not checked"));
    return { results, ...(facts.newestEvent === undefined ? {} : { newestEvent: facts.newestEvent }) };
  } catch (error) {
    return { results: [fail(`cannot open database at ${path}: ${causeOf(error)}`)] };
  }
}

function judge(path: string, facts: DatabaseFacts, ours: number): CheckResult {
  const { ok, fail, warn } = resultsOf("database");
  if (facts.damage !== undefined) return fail(`${path} is damaged: ${facts.damage}`);
  if (facts.isEmpty) return ok(`${path} is empty and will be initialised`);
  if (facts.version > ours) {
    return fail(`${path}: database schema ${facts.version} is newer than this program knows (${ours})`);
  }
  if (facts.version < ours) return warn(`${path}: will migrate ${facts.version}→${ours}`);
  return ok(`${path}: schema ${facts.version}`);
}

async function readCopy(path: string, withLog: boolean): Promise<DatabaseFacts> {
  const directory = await privateDirectory(dirname(path));
  try {
    await Deno.copyFile(path, `${directory}/copy.db`);
    if (withLog) await Deno.copyFile(`${path}-wal`, `${directory}/copy.db-wal`);
    return readFacts(new DatabaseSync(`${directory}/copy.db`), true);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** A temporary directory; where we may write nowhere but beside the data, it is made there. */
async function privateDirectory(beside: string): Promise<string> {
  const prefix = "ngit-grasp-check-";
  try {
    return await Deno.makeTempDir({ prefix });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    return await Deno.makeTempDir({ dir: beside, prefix: `.${prefix}` });
  }
}

/** Deno opens SQLite URLs only when nothing is denied; reading /proc asks for the same. */
async function mayOpenImmutable(): Promise<boolean> {
  return await Deno.readTextFile("/proc/self/status").then(() => true, () => false);
}

function immutable(path: string): DatabaseSync {
  const url = `file://${path.split("/").map(encodeURIComponent).join("/")}?immutable=1`;
  return new DatabaseSync(new URL(url) as unknown as string, { readOnly: true });
}

function readFacts(database: DatabaseSync, checkPages: boolean): DatabaseFacts {
  try {
    const number = (sql: string) => Number(Object.values(database.prepare(sql).get() ?? {})[0] ?? 0);
    const version = number("PRAGMA user_version");
    const isEmpty = number("SELECT count(*) FROM sqlite_schema") === 0;
    const check = checkPages
      ? String(Object.values(database.prepare("PRAGMA quick_check(1)").get() ?? {})[0])
      : "ok";
    const hasEvents =
      number("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'events'") > 0;
    const newest = hasEvents && check === "ok" ? number("SELECT max(created_at) FROM events") : 0;
    return {
      version,
      isEmpty,
      damage: check === "ok" ? undefined : check,
      newestEvent: newest > 0 ? newest : undefined,
    };
  } finally {
    database.close();
  }
}

async function sizeOf(path: string): Promise<number | "no file" | undefined> {
  try {
    const { isFile, size } = await Deno.stat(path);
    return isFile ? size : "no file";
  } catch (error) {
    // A path below a file is the fault of the directory, which has a check of its own.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    return 0; // there but unreadable: opening it tells why
  }
}
