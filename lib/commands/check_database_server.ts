import { inspectDatabaseServer, type ServerInspection } from "../store/mod.ts";
import type { DatabaseCheck } from "./check_database.ts";
import { causeOf, resultsOf } from "./check_result.ts";

/** Longest time for one request to the database server, in milliseconds. */
const TIMEOUT_MS = 3_000;

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
    const { version, isEmpty, holder, newestEvent } = await inspectDatabaseServer({
      ...check,
      timeoutMs: TIMEOUT_MS,
    });
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
