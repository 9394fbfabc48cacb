import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Client } from "@libsql/client";
import { KIND, type NostrEvent } from "../nostr/mod.ts";
import { type Logger, noStoreMetrics } from "../observe/mod.ts";
import type { Clock } from "../world/mod.ts";
import { LOCAL, type ReadableDatabase, REMOTE } from "./database.ts";
import type { SqlValue, Statement, StatementResult } from "./statement.ts";
import { type EventRange, eventTexts } from "./event_texts.ts";
import type { FilterLimits } from "./filter_sql.ts";
import { heldOf } from "./gone_tables.ts";
import { LibsqlStore } from "./libsql_store.ts";
import { PurgatoryTables } from "./purgatory_tables.ts";
import { Reader } from "./reader.ts";
import { readAll } from "./remote_client.ts";
import { MAINTENANCE_VERSION, NewerSchemaError, SCHEMA_VERSION } from "./schema.ts";
import { eventsOfKinds, waitingAnnouncements } from "./sync_reads.ts";
import type { IdentifierRows, RetiredRepository, Store, WaitingAnnouncement } from "./types.ts";
import { jobRuns, repositoryNotes } from "./upkeep_tables.ts";
import type { JobRun, RepositoryNote } from "./upkeep_types.ts";

/** How long a reader waits for a lock; it stands in nobody's way meanwhile. */
const BUSY_TIMEOUT_MS = 10_000;

/** Marks every hosted repository as one whose refs may differ from its state. */
const MARK_REPOSITORIES = `INSERT OR IGNORE INTO dirty_repositories (owner, identifier, since)
  SELECT pubkey, d, ?2 FROM events WHERE kind = ?1 AND hosted = 1`;

/** Where the data lies, and what reading it needs. */
export interface StoredDataOptions {
  /** A file path, or a `libsql:` or `http(s):` URL. */
  readonly location: string;
  /** Token for a remote database. */
  readonly authToken?: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Numbers for people: what a database holds. */
export interface StoredCounts {
  /** Served events, expired ones included. */
  readonly events: number;
  /** Served announcements with a repository here. */
  readonly repositories: number;
  /** Everything in purgatory. */
  readonly waiting: Awaited<ReturnType<Store["waitingCounts"]>>;
}

/**
 * A database opened for reading only, while a server may serve from it. Nothing in it is changed and
 * nothing is migrated: tables that came with a later version than its own must not be asked for.
 */
export class StoredData {
  /** Version of its schema, at most ours. */
  readonly schemaVersion: number;
  readonly #options: StoredDataOptions;
  readonly #client: Client;
  readonly #database: ReadableDatabase;
  readonly #reader: Reader;
  readonly #purgatory: PurgatoryTables;

  private constructor(client: Client, schemaVersion: number, options: StoredDataOptions) {
    const { clock, log } = options;
    this.#options = options;
    this.#client = client;
    this.schemaVersion = schemaVersion;
    const database = this.#database = {
      bounds: isRemote(options.location) ? REMOTE : LOCAL,
      read: async (sql: string, args: readonly SqlValue[] = []): Promise<StatementResult> =>
        (await readAll(client, [{ sql, args }]))[0]!,
      readAll: (statements: readonly Statement[]) => readAll(client, statements),
    };
    this.#reader = new Reader({ database, clock, log, metrics: noStoreMetrics });
    this.#purgatory = new PurgatoryTables(this.#reader);
  }

  /**
   * Opens it. Throws an Error that says what is wrong: no such file, no database of ours, or a schema
   * newer than this program knows.
   */
  static async open(options: StoredDataOptions): Promise<StoredData> {
    const { location, authToken } = options;
    const remote = isRemote(location);
    const path = resolve(location.replace(/^file:(\/\/(?=\/))?/, ""));
    // The driver would create the file.
    if (!remote && !(await stat(path).catch(() => undefined))?.isFile()) {
      throw new Error(`there is no database at ${path}`);
    }
    const { createClient } = await import("@libsql/client");
    const client = createClient({
      url: remote ? location : pathToFileURL(path).href,
      concurrency: 1,
      timeout: BUSY_TIMEOUT_MS,
      ...(authToken !== undefined && { authToken }),
    });
    try {
      if (!remote) await client.execute("PRAGMA query_only = ON");
      const version = Number((await client.execute("PRAGMA user_version")).rows[0]?.[0] ?? 0);
      if (version === 0) throw new Error(`the database at ${location} has no tables of ours`);
      if (version > SCHEMA_VERSION) {
        throw new NewerSchemaError(
          `database schema ${version} is newer than this program knows (${SCHEMA_VERSION})`,
        );
      }
      return new StoredData(client, version, options);
    } catch (cause) {
      client.close();
      throw cause;
    }
  }

  /**
   * All that a server reads, from this connection; writing is refused, and closing it closes this. Throws
   * when a server would have to migrate the database first.
   */
  store(limits: FilterLimits): Store {
    if (this.schemaVersion !== SCHEMA_VERSION) {
      throw new Error(
        `database schema ${this.schemaVersion} is older than this program's (${SCHEMA_VERSION}): start the server once`,
      );
    }
    const refuse = () => Promise.reject(new Error("this connection only reads"));
    const done = () => Promise.resolve();
    const close = () => Promise.resolve(this.close());
    return new LibsqlStore({
      ...this.#options,
      database: {
        ...this.#database,
        shared: this.#database,
        arrivals: this.#database,
        isRemote: false,
        file: undefined,
        ping: done,
        renew: done,
        close,
      },
      writer: { submit: refuse, run: refuse, watch: () => () => {}, close: done },
      limits,
      metrics: noStoreMetrics,
    });
  }

  /** What it holds. */
  async counts(): Promise<StoredCounts> {
    const hosted = "SELECT count(*) FROM events INDEXED BY events_by_kind WHERE kind = ? AND hosted = 1";
    return {
      events: await this.#reader.number("SELECT count(*) FROM events"),
      repositories: await this.#reader.number(hosted, [BigInt(KIND.announcement)]),
      waiting: await this.#purgatory.waitingCounts(),
    };
  }

  /** Texts of the served events in `range`, in pages, oldest first (ties: highest id first). */
  texts(range: EventRange): AsyncIterable<readonly string[]> {
    return eventTexts(this.#reader, range);
  }

  /** What is held back of one owner, or of one repository, earliest first. */
  held(owner: string, identifier?: string): AsyncIterable<RetiredRepository> {
    return heldOf(this.#reader, owner, identifier);
  }

  /** All served events of these kinds, oldest first. */
  eventsOfKinds(kinds: readonly number[]): AsyncIterable<NostrEvent> {
    return eventsOfKinds(this.#reader, kinds);
  }

  /** Every announcement in purgatory. */
  async waitingAnnouncements(): Promise<readonly WaitingAnnouncement[]> {
    return await waitingAnnouncements(this.#reader);
  }

  /** Everything known about one identifier. */
  async readIdentifier(identifier: string): Promise<IdentifierRows> {
    return await this.#purgatory.readIdentifier(identifier);
  }

  /** What a job last found in each repository. */
  async repositoryNotes(job: string): Promise<readonly RepositoryNote[]> {
    return this.schemaVersion < MAINTENANCE_VERSION ? [] : await repositoryNotes(this.#reader, job);
  }

  /** How each job last ended. */
  async jobRuns(): Promise<readonly JobRun[]> {
    return this.schemaVersion < MAINTENANCE_VERSION ? [] : await jobRuns(this.#reader);
  }

  /** What SQLite finds wrong with the file, at most a few lines; empty when it is sound. */
  async damage(): Promise<readonly string[]> {
    const rows = await this.#reader.rows("PRAGMA integrity_check(5)");
    return rows.map((row) => String(row[0])).filter((line) => line !== "ok");
  }

  /**
   * Writes a copy as of this moment to `path`, which must not exist: one file without write-ahead log.
   * Blocks this process meanwhile, not a server on the same file. A server started on the copy compares
   * every repository with its state first, since repositories are copied at another moment.
   */
  async copyTo(path: string): Promise<void> {
    await this.#client.execute("PRAGMA query_only = OFF");
    try {
      await this.#client.execute({ sql: "VACUUM INTO ?", args: [path] });
    } finally {
      await this.#client.execute("PRAGMA query_only = ON");
    }
    const { createClient } = await import("@libsql/client");
    const copy = createClient({ url: pathToFileURL(path).href, concurrency: 1 });
    try {
      await copy.execute({ sql: MARK_REPOSITORIES, args: [BigInt(KIND.announcement), this.#reader.nowMs()] });
    } finally {
      copy.close();
    }
  }

  /** Closes the connection. */
  close(): void {
    this.#client.close();
  }
}

function isRemote(location: string): boolean {
  return /^(?!file:)[a-z]{2,}:/.test(location);
}
