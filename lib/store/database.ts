import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { LibsqlBatchError } from "@libsql/client/http";
import type { Logger } from "../observe/mod.ts";
import type { Clock } from "../world/mod.ts";
import { isDatabaseTrouble, isTransient, messageOf, RemoteError, TakenOverError } from "./database_errors.ts";
import { endLease, type LeaseHolder, ownLease, takeLease, underLease } from "./lease.ts";
import { MAX_LIST } from "./list_statements.ts";
import { connectLocally, pathOf } from "./local_connection.ts";
import { connectRemotely, readAll, type RemoteOptions } from "./remote_client.ts";
import { migrationsFrom, NewerSchemaError } from "./schema.ts";
import { TurnShare } from "./turn_share.ts";
import type { DatabaseClient, SqlValue, Statement, StatementResult } from "./statement.ts";

/** Where and how to open a database. */
export interface DatabaseOptions {
  /** A file path, a `file:`/`libsql:`/`http(s):` URL, or `:memory:`. */
  readonly location: string;
  /** Needed for a remote database: how to reach it, and for whom it is held. */
  readonly remote?: RemoteOptions & LeaseHolder;
  /** How long SQLite waits for a lock; it blocks the event loop meanwhile. */
  readonly busyTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What one transaction and one read of a database may carry. */
export interface DatabaseBounds {
  /** Most text of one transaction, in UTF-16 units. */
  readonly transactionSize: number;
  /** Most units of work of one transaction. */
  readonly groupUnits: number;
  /** Most bytes of one value that is read. */
  readonly valueBytes: number;
  /** Most reads that are made together. */
  readonly readsAtOnce: number;
  /** Longest list that one read is about, in UTF-16 units. */
  readonly listSize: number;
  /** How many times more rows than usual a read covers that is cut into slices. */
  readonly sliceFactor: number;
}

/** Bounds of a database in this process, which nothing else can happen beside: a transaction takes milliseconds. */
export const LOCAL: DatabaseBounds = {
  transactionSize: 4 * 1024 * 1024,
  groupUnits: 200,
  valueBytes: 64 * 1024 * 1024,
  readsAtOnce: 1,
  listSize: 64 * 1024,
  sliceFactor: 1,
};

/**
 * Servers refuse larger values, and end transactions that take long. Slices keep a local database
 * from blocking the event loop; of a remote one each costs a round trip.
 */
export const REMOTE: DatabaseBounds = {
  transactionSize: 2 * 1024 * 1024,
  groupUnits: 500,
  valueBytes: 3 * 1024 * 1024,
  readsAtOnce: 8,
  listSize: MAX_LIST,
  sliceFactor: 20,
};

/** What reading takes. */
export type ReadableDatabase = Pick<Database, "read" | "readAll" | "bounds">;

/** A server of which values of this size are refused cannot hold what we store, in bytes. */
const NEEDED_VALUE_BYTES = 4_000_000n;

/**
 * One database: a connection to a file (or memory), or a server asked by HTTP requests. After
 * SQLITE_BUSY a local connection of this driver can report success for rows it never commits, so it
 * is replaced at the first such error. A remote one is held by a lease that every transaction proves.
 */
export class Database {
  readonly #options: DatabaseOptions;
  readonly #url: string;
  readonly #remote: DatabaseOptions["remote"];
  /** For reads that anybody may ask for, any number at once: of a local database they have a {@link TurnShare}. */
  readonly shared: ReadableDatabase;
  /** For looking up the events that arrive, in a share of their own: they wait for nobody's reads but theirs. */
  readonly arrivals: ReadableDatabase;
  #client: Promise<DatabaseClient> | undefined;
  #takenOver: TakenOverError | undefined;

  private constructor(options: DatabaseOptions) {
    this.#options = options;
    this.#url = urlOf(options.location);
    const isLocal = /^(:memory:|file:)/.test(this.#url);
    this.shared = isLocal ? this.#sharing(new TurnShare(options.clock)) : this;
    this.arrivals = isLocal ? this.#sharing(new TurnShare(options.clock)) : this;
    if (isLocal) return;
    if (!options.remote) throw new Error(`nobody said how to reach the database at ${this.#url}`);
    this.#remote = options.remote;
  }

  /**
   * Opens the database, makes sure that it is ours alone and fit for use, and migrates it. Throws
   * `cannot open database at <location>: <cause>`, or the schema error of {@link migrationsFrom}.
   */
  static async open(options: DatabaseOptions): Promise<Database> {
    const database = new Database(options);
    try {
      const version = Number((await database.read("PRAGMA user_version")).rows[0]?.[0] ?? 0);
      const migrations = migrationsFrom(version);
      if (database.#remote) await database.#takePossession(database.#remote);
      for (const { statements } of migrations) {
        await database.write(statements.map((sql) => ({ sql, args: [] })));
      }
      return database;
    } catch (cause) {
      await database.#disconnect();
      if (cause instanceof NewerSchemaError) throw cause;
      throw new Error(`cannot open database at ${options.location}: ${messageOf(cause)}`, { cause });
    }
  }

  /** True when every statement is a round trip, and the server may go away and come back. */
  get isRemote(): boolean {
    return this.#remote !== undefined;
  }

  /** Path of the file it is in; undefined for one in memory or on a server. */
  get file(): string | undefined {
    return this.#url.startsWith("file:") ? pathOf(this.#url) : undefined;
  }

  /** What one transaction and one read may carry. */
  get bounds(): DatabaseBounds {
    return this.isRemote ? REMOTE : LOCAL;
  }

  /** Runs one reading statement; replaces a connection that met a lock and tries once more. */
  async read(sql: string, args: readonly SqlValue[] = []): Promise<StatementResult> {
    return (await this.readAll([{ sql, args }]))[0]!;
  }

  /** Runs several reading statements on one snapshot, with the same second try. */
  async readAll(statements: readonly Statement[]): Promise<readonly StatementResult[]> {
    return await this.#withSecondTry((client) => readAll(client, statements));
  }

  #sharing(share: TurnShare): ReadableDatabase {
    const all = (statements: readonly Statement[]) =>
      this.#withSecondTry((client) => share.take(() => readAll(client, statements)));
    return {
      bounds: LOCAL,
      read: async (sql, args = []) => (await all([{ sql, args }]))[0]!,
      readAll: all,
    };
  }

  /**
   * Runs `statements` in one transaction, once. Throws {@link TakenOverError} for a remote database
   * that another server has taken over.
   */
  async write(statements: readonly Statement[]): Promise<readonly StatementResult[]> {
    const client = await this.#current();
    if (!this.#remote) return await client.batch(statements.map(bound), "write");
    try {
      const [, ...results] = await client.batch(
        [underLease(this.#remote), ...statements].map(bound),
        "write",
      );
      return results;
    } catch (cause) {
      const isLost = cause instanceof LibsqlBatchError && cause.statementIndex === 0 &&
        cause.code === "SQLITE_CONSTRAINT";
      throw isLost ? this.#lost() : cause;
    }
  }

  /** Rejects when the database does not answer, or is not ours any more. */
  async ping(): Promise<void> {
    if (this.#takenOver) throw this.#takenOver;
    const { sql, args } = this.#remote
      ? ownLease(this.#remote)
      : { sql: "SELECT number FROM commit_mark", args: [] };
    if ((await this.read(sql, args)).rows.length === 0) throw this.#lost();
  }

  /** Keeps a remote database ours while nothing is written; does nothing for others. */
  async renew(): Promise<void> {
    if (this.#remote && !this.#takenOver) await this.write([]);
  }

  /**
   * Makes the connection fit for use after a failed transaction: replaced when the failure may have
   * poisoned it. Memory databases live in their connection, which is rolled back and kept; requests
   * to a remote database share none.
   */
  async recover(cause: unknown): Promise<void> {
    if (this.#url === ":memory:" || this.isRemote || !isDatabaseTrouble(cause)) return;
    this.#options.log.warn("database connection replaced after an error", { cause: messageOf(cause) });
    await this.#disconnect();
    await this.#current();
  }

  /** Closes the connection and gives a remote database back. */
  async close(): Promise<void> {
    // So that the file alone is whole: the driver leaves the write-ahead log as it is. Waits for no reader.
    const client = this.file === undefined ? undefined : await this.#client?.catch(() => undefined);
    await client?.execute({ sql: "PRAGMA wal_checkpoint(PASSIVE)", args: [] }).catch(() => {});
    await this.#disconnect();
  }

  async #withSecondTry<T>(work: (client: DatabaseClient) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#current());
    } catch (cause) {
      if (!isTransient(cause) || this.#url === ":memory:") throw cause;
      // Somebody else may have replaced the connection already.
      if ((cause as { code?: unknown }).code !== "CLIENT_CLOSED") await this.recover(cause);
      return await work(await this.#current());
    }
  }

  /** The connection; opened by whoever needs it first, shared by all who wait for it. */
  #current(): Promise<DatabaseClient> {
    if (this.#client) return this.#client;
    const opening = this.#connect();
    this.#client = opening;
    opening.catch(() => {
      if (this.#client === opening) this.#client = undefined;
    });
    return opening;
  }

  async #connect(): Promise<DatabaseClient> {
    if (this.#remote) return connectRemotely(this.#url, this.#remote);
    return await connectLocally(this.#url, this.#options.busyTimeoutMs);
  }

  /** Takes the lease and checks what a local connection would have been told by PRAGMAs. */
  async #takePossession(holder: RemoteOptions & LeaseHolder): Promise<void> {
    const client = await this.#current();
    const held = (await client.batch(takeLease(holder).map(bound), "write")).at(-1)?.rows[0];
    if (held?.session !== holder.session) {
      throw new RemoteError(
        `another server uses it, and has it for ${held?.secondsLeft} s even if it is gone; ` +
          "one database is for one server",
        "refused",
      );
    }
    const facts = (await this.readAll([
      { sql: "PRAGMA foreign_keys", args: [] },
      { sql: "PRAGMA synchronous", args: [] },
    ])).map(({ rows }) => Number(rows[0]?.[0]));
    if (facts[0] !== 1) throw new RemoteError("that server does not enforce foreign keys", "refused");
    try {
      await this.read("SELECT length(zeroblob(?))", [NEEDED_VALUE_BYTES]);
    } catch (cause) {
      if ((cause as { code?: unknown }).code !== "SQLITE_TOOBIG") throw cause;
      throw new RemoteError(`that server refuses values of ${NEEDED_VALUE_BYTES} bytes`, "refused", cause);
    }
    const isSafe = (facts[1] ?? 0) >= 2;
    this.#options.log.info(`events are kept by the database server at ${this.#options.location}`, {
      synchronous: isSafe ? "full" : "normal: a power cut at that server can lose its last commits",
    });
  }

  #lost(): TakenOverError {
    if (!this.#takenOver) {
      this.#takenOver = new TakenOverError(
        `another server has taken over the database at ${this.#options.location}: stop one of them, restart the other`,
      );
      this.#options.log.error(this.#takenOver.message);
    }
    return this.#takenOver;
  }

  async #disconnect(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    if (!client) return;
    // If it cannot be given back, the lease ends by itself.
    if (this.#remote) await client.execute(bound(endLease(this.#remote))).catch(() => {});
    client.close();
  }
}

function urlOf(location: string): string {
  if (location === ":memory:" || /^[a-z]{2,}:/.test(location)) return location;
  return pathToFileURL(resolve(location)).href;
}

function bound({ sql, args }: Statement): { sql: string; args: SqlValue[] } {
  return { sql, args: [...args] };
}
