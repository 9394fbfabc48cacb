/** The store: events served, and purgatory, in one libSQL database. */
import { type Logger, noStoreMetrics, type StoreGroup } from "../observe/mod.ts";
import type { Clock } from "../world/mod.ts";
import { Database } from "./database.ts";
import type { Statement } from "./statement.ts";
import type { FilterLimits } from "./filter_sql.ts";
import { LibsqlStore } from "./libsql_store.ts";
import type { Fetch } from "./remote_fetch.ts";
import type { Store } from "./types.ts";
import { Writer } from "./writer.ts";

export type { FilterLimits } from "./filter_sql.ts";
export {
  claimDirectories,
  type CleanUp,
  type DataDirectories,
  instanceName,
  knownInstanceName,
} from "./data_directories.ts";
export { inspectDatabaseServer, type ServerFacts, type ServerInspection } from "./inspect_server.ts";
export { type DirectoryLock, LOCK_FILE, lockDataDirectory } from "./instance_lock.ts";
export { linksNothing, MAX_REFERENCES, type RelatedKeys, relatedKeys } from "./related.ts";
export type { EventRange } from "./event_texts.ts";
export { type StoredCounts, StoredData, type StoredDataOptions } from "./stored_data.ts";
export { SCHEMA_VERSION } from "./schema.ts";
export type * from "./refused_types.ts";
export type * from "./sync_types.ts";
export type * from "./types.ts";
export type * from "./upkeep_types.ts";

/** Most events of the memory backend; beyond it the oldest by arrival are dropped. */
const MAX_MEMORY_EVENTS = 100_000;
/** Longest time for one request to a remote database, in milliseconds. */
const REMOTE_TIMEOUT_MS = 10_000;

/** How to reach a remote database, and for whom. */
export interface RemoteDatabase {
  /** Has to allow writing; undefined for a database server that asks nobody. */
  readonly authToken?: string | undefined;
  /**
   * Names this server among those that might use the database: the same at every start from one data
   * directory, which only one process can have. Another server's name is refused while it is alive.
   */
  readonly instance: string;
  /** Names this run of the server. */
  readonly session: string;
  /** Sends requests to the operator's own URL: no address guard. */
  readonly fetch: Fetch;
}

/** How to open a store. */
export interface StoreOptions {
  /** A file path or a `file:`, `libsql:`, `http:` or `https:` URL; not used by the memory backend. */
  readonly location: string;
  /** `memory` keeps the same tables in a private database that vanishes with the store. */
  readonly backend: "libsql" | "memory";
  /** For a remote database. */
  readonly remote?: RemoteDatabase;
  readonly clock: Clock;
  readonly limits: FilterLimits;
  readonly log: Logger;
  readonly metrics?: StoreGroup;
  /** For tests: what production never changes. */
  readonly internals?: {
    /** How long SQLite waits for a lock, in milliseconds (2,000). */
    readonly busyTimeoutMs?: number;
    /** Longest time for one request to a remote database, in milliseconds (10,000). */
    readonly remoteTimeoutMs?: number;
    /** Most events of the memory backend (100,000). */
    readonly maxMemoryEvents?: number;
  };
}

/**
 * Opens the store and brings its schema up to date. Throws an Error that says what is wrong: cannot
 * open (with the path), or a schema newer than this program knows.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { backend, clock, limits, remote, internals } = options;
  const log = options.log.target("db");
  const memory = backend === "memory";
  const database = await Database.open({
    location: memory ? ":memory:" : options.location,
    ...(remote && {
      remote: { ...remote, clock, timeoutMs: internals?.remoteTimeoutMs ?? REMOTE_TIMEOUT_MS },
    }),
    busyTimeoutMs: internals?.busyTimeoutMs ?? 2_000,
    clock,
    log,
  });
  const writer = await Writer.create({
    database,
    clock,
    log,
    ...(memory && { afterInsert: dropOldest(internals?.maxMemoryEvents ?? MAX_MEMORY_EVENTS) }),
  });
  return new LibsqlStore({
    database,
    writer,
    clock,
    limits,
    log,
    metrics: options.metrics ?? noStoreMetrics,
  });
}

function dropOldest(limit: number): Statement {
  const sql = `DELETE FROM events WHERE seq IN (
    SELECT seq FROM events ORDER BY seq LIMIT max(0, (SELECT count(*) FROM events) - ?))`;
  return { sql, args: [BigInt(limit)] };
}
