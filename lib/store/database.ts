import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Client, LibsqlError, ResultSet } from "@libsql/client";
import type { Logger } from "../observe/mod.ts";
import { migrationsFrom, NewerSchemaError } from "./schema.ts";

/** A value bound to a statement. Integers are bigint: the driver binds a number as REAL. */
export type SqlValue = string | bigint | null;

/** One prepared statement with its values. */
export interface Statement {
  readonly sql: string;
  readonly args: readonly SqlValue[];
}

/** Where and how to open a database. */
export interface DatabaseOptions {
  /** A file path, a `file:`/`libsql:`/`http(s):` URL, or `:memory:`. */
  readonly location: string;
  /** Token for a remote database. */
  readonly authToken?: string;
  /** How long SQLite waits for a lock; it blocks the event loop meanwhile. */
  readonly busyTimeoutMs: number;
  readonly log: Logger;
}

/** Failures that concern the whole database, not the statement that met them. */
const TROUBLE = new Set([
  "SQLITE_BUSY",
  "SQLITE_LOCKED",
  "SQLITE_IOERR",
  "SQLITE_FULL",
  "SQLITE_CANTOPEN",
  "SQLITE_READONLY",
  "SQLITE_CORRUPT",
  "SQLITE_NOTADB",
  "SQLITE_NOMEM",
  "CLIENT_CLOSED",
]);

/** The driver's class is not at hand before the driver is, which is loaded with the first connection. */
function isLibsqlError(cause: unknown): cause is LibsqlError {
  return cause instanceof Error && cause.name === "LibsqlError";
}

/** A transaction that the driver reported as committed is not there: its connection is poisoned. */
export class LostTransactionError extends Error {}

/** True when the database as a whole is in trouble, so that smaller transactions would fail too. */
export function isDatabaseTrouble(cause: unknown): boolean {
  return cause instanceof LostTransactionError || (isLibsqlError(cause) && TROUBLE.has(cause.code));
}

/** True when another connection stood in the way, or ours was replaced under us: worth another try. */
export function isTransient(cause: unknown): boolean {
  return cause instanceof LostTransactionError ||
    (isLibsqlError(cause) && /^(SQLITE_BUSY|SQLITE_LOCKED|CLIENT_CLOSED)$/.test(cause.code));
}

/**
 * One connection to one database. After SQLITE_BUSY a connection of this driver can report success
 * for rows it never commits, so the connection is replaced at the first such error.
 */
export class Database {
  readonly #options: DatabaseOptions;
  readonly #url: string;
  readonly #kind: "memory" | "file" | "remote";
  #client: Promise<Client> | undefined;

  private constructor(options: DatabaseOptions) {
    this.#options = options;
    this.#url = urlOf(options.location);
    this.#kind = this.#url === ":memory:" ? "memory" : this.#url.startsWith("file:") ? "file" : "remote";
  }

  /**
   * Opens the database, sets and verifies its PRAGMAs and migrates it. Throws
   * `cannot open database at <path>: <cause>`, or the schema error of {@link migrationsFrom}.
   */
  static async open(options: DatabaseOptions): Promise<Database> {
    const database = new Database(options);
    try {
      await database.#current();
      await database.#migrate();
      return database;
    } catch (cause) {
      await database.close();
      if (cause instanceof NewerSchemaError) throw cause;
      throw new Error(`cannot open database at ${options.location}: ${messageOf(cause)}`, { cause });
    }
  }

  /** Runs one reading statement; replaces a connection that met a lock and tries once more. */
  async read(sql: string, args: readonly SqlValue[] = []): Promise<ResultSet> {
    return await this.#withSecondTry(async (client) => await client.execute({ sql, args: [...args] }));
  }

  /** Runs several reading statements on one snapshot, with the same second try. */
  async readAll(statements: readonly Statement[]): Promise<readonly ResultSet[]> {
    return await this.#withSecondTry(async (client) => await client.batch(statements.map(bound), "deferred"));
  }

  /** Runs `statements` in one transaction, once. */
  async write(statements: readonly Statement[]): Promise<readonly ResultSet[]> {
    return await (await this.#current()).batch(statements.map(bound), "write");
  }

  /**
   * Makes the connection fit for use after a failed transaction: replaced when the failure may have
   * poisoned it. Memory databases live in their connection, which is rolled back and kept.
   */
  async recover(cause: unknown): Promise<void> {
    if (this.#kind === "memory" || !isDatabaseTrouble(cause)) return;
    this.#options.log.warn("database connection replaced after an error", { cause: messageOf(cause) });
    await this.#disconnect();
    await this.#current();
  }

  /** Closes the connection. */
  async close(): Promise<void> {
    await this.#disconnect();
  }

  async #withSecondTry<T>(work: (client: Client) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#current());
    } catch (cause) {
      if (!isTransient(cause) || this.#kind === "memory") throw cause;
      // Somebody else may have replaced the connection already.
      if ((cause as LibsqlError).code !== "CLIENT_CLOSED") await this.recover(cause);
      return await work(await this.#current());
    }
  }

  /** The connection; opened by whoever needs it first, shared by all who wait for it. */
  #current(): Promise<Client> {
    if (this.#client) return this.#client;
    const opening = this.#connect();
    this.#client = opening;
    opening.catch(() => {
      if (this.#client === opening) this.#client = undefined;
    });
    return opening;
  }

  async #connect(): Promise<Client> {
    const { authToken, busyTimeoutMs } = this.#options;
    // Loading it takes permissions, which only those who open a database have to grant.
    const { createClient } = await import("@libsql/client");
    const client = createClient({
      url: this.#url,
      concurrency: 1,
      timeout: busyTimeoutMs,
      ...(authToken !== undefined && { authToken }),
    });
    if (this.#kind === "remote") return client;
    try {
      await pragma(client, "foreign_keys", "ON", 1);
      await pragma(client, "temp_store", "MEMORY", 2);
      if (this.#kind === "file") await this.#setUpFile(client);
      return client;
    } catch (cause) {
      client.close();
      throw cause;
    }
  }

  async #setUpFile(client: Client): Promise<void> {
    await pragma(client, "busy_timeout", String(this.#options.busyTimeoutMs), this.#options.busyTimeoutMs);
    await pragma(client, "journal_mode", "WAL", "wal");
    await pragma(client, "synchronous", "FULL", 2);
    // Other processes may read the file (backups do) and never stop a commit; the lock of the data
    // directory keeps a second server away. An empty write transaction shows a foreign writer at start.
    await client.batch([], "write");
  }

  async #migrate(): Promise<void> {
    const row = (await this.read("PRAGMA user_version")).rows[0];
    for (const { statements } of migrationsFrom(Number(row?.[0] ?? 0))) {
      await this.write(statements.map((sql) => ({ sql, args: [] })));
    }
  }

  async #disconnect(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    client?.close();
  }
}

function urlOf(location: string): string {
  if (location === ":memory:" || /^[a-z]{2,}:/.test(location)) return location;
  return pathToFileURL(resolve(location)).href;
}

function bound({ sql, args }: Statement): { sql: string; args: SqlValue[] } {
  return { sql, args: [...args] };
}

/** Sets a PRAGMA and checks that it took effect. */
async function pragma(client: Client, name: string, value: string, expected: string | number): Promise<void> {
  await client.execute(`PRAGMA ${name} = ${value}`);
  const actual = (await client.execute(`PRAGMA ${name}`)).rows[0]?.[0];
  if (actual !== expected) throw new Error(`PRAGMA ${name} is ${actual} instead of ${expected}`);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
