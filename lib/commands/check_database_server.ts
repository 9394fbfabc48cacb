import { inspectDatabaseServer, type ServerFacts, type ServerInspection } from "../store/mod.ts";
import type { DatabaseCheck } from "./check_database.ts";
import { causeOf, resultsOf } from "./check_result.ts";

/** Longest time for one request to the database server, in milliseconds. */
const TIMEOUT_MS = 3_000;
/** Longest time for all of them: the whole check has to end within 10 s. */
const ALL_TIMEOUT_MS = 8_000;

/** What {@link checkDatabaseServer} needs. */
export interface DatabaseServerCheck extends Omit<ServerInspection, "timeoutMs"> {
  /** Our name in the database's lease; undefined before the first start. */
  readonly instance: string | undefined;
  /** Schema version of this program. */
  readonly schemaVersion: number;
}

/**
 * The database server answers, takes our token for writing, holds a schema we know and is not
 * another server's. Changes nothing there.
 */
export async function checkDatabaseServer(check: DatabaseServerCheck): Promise<DatabaseCheck> {
  const { url, instance, schemaVersion: ours } = check;
  const { ok, fail, warn } = resultsOf("database");
  try {
    const { version, isEmpty, holder, newestEvent } = await inTime(check);
    if (version > ours) {
      return {
        results: [fail(`${url}: database schema ${version} is newer than this program knows (${ours})`)],
      };
    }
    if (holder && holder.instance !== instance) {
      return {
        results: [fail(`${url} is in use by another server (lease ends in ${holder.secondsLeft} s)`)],
      };
    }
    const result = isEmpty
      ? ok(`${url} is empty and will be initialised`)
      : version < ours
      ? warn(`${url}: will migrate ${version}→${ours}`)
      : ok(`${url}: schema ${version}`);
    return { results: [result], ...(newestEvent === undefined ? {} : { newestEvent }) };
  } catch (error) {
    return { results: [fail(`cannot open database at ${url}: ${causeOf(error)}`)] };
  }
}

async function inTime(check: DatabaseServerCheck): Promise<ServerFacts> {
  const over = new AbortController();
  const late = check.clock.sleep(ALL_TIMEOUT_MS, over.signal).then((): never => {
    throw new Error(`its answers took longer than ${ALL_TIMEOUT_MS / 1000} s`);
  });
  late.catch(() => {}); // it also ends, with nobody listening, when all was answered
  try {
    return await Promise.race([inspectDatabaseServer({ ...check, timeoutMs: TIMEOUT_MS }), late]);
  } finally {
    over.abort();
  }
}
