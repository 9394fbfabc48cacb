import type { Row } from "@libsql/client";
import { LibsqlError } from "@libsql/client/http";
import type Libsql from "libsql";
import type { DatabaseClient, SqlValue, Statement, StatementResult } from "./statement.ts";

type Connection = InstanceType<typeof Libsql>;

/**
 * Most statements that are kept, and the longest text of one and of its values together, in UTF-16 units: a
 * statement holds the values it was last used with.
 */
const MAX_KEPT = 200;
const MAX_KEPT_LENGTH = 8_192;
const MAX_KEPT_VALUES = 128 * 1024;

/** Names of SQLite's primary result codes, from 1. */
const CODES = ("ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL " +
  "CANTOPEN PROTOCOL EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB").split(
    " ",
  );

/** A prepared statement with the names of its columns; undefined when it returns no rows. */
interface Prepared {
  readonly statement: ReturnType<Connection["prepare"]>;
  readonly columns: readonly string[] | undefined;
}

/**
 * A local connection that prepares each statement once: preparing takes longer than most of them run.
 * Beyond the bound the one that was used least recently is forgotten. A kept statement holds the values it
 * was last given: 50 MB for all of them at the very worst. Everything happens within the call; a failure may
 * leave the connection unfit for use, and then it is for the caller to open another.
 */
export class LocalClient implements DatabaseClient {
  readonly #connection: Connection;
  readonly #kept = new Map<string, Prepared>();

  /** Takes over an open connection. */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Runs one statement. */
  execute({ sql, args }: Statement): Promise<StatementResult> {
    return this.#settled(() => this.#run(sql, args));
  }

  /** Runs statements in one transaction, which is rolled back when one of them fails. */
  batch(statements: readonly Statement[], mode: "write" | "deferred"): Promise<readonly StatementResult[]> {
    return this.#settled(() => {
      this.#run(mode === "write" ? "BEGIN IMMEDIATE" : "BEGIN DEFERRED", []);
      try {
        const results = statements.map(({ sql, args }) => this.#run(sql, args));
        this.#run("COMMIT", []);
        return results;
      } finally {
        if (this.#connection.inTransaction) this.#connection.exec("ROLLBACK");
      }
    });
  }

  /** Ends the connection; safe to call again. */
  close(): void {
    this.#kept.clear();
    if (this.#connection.open) this.#connection.close();
  }

  /** What `work` comes to, its errors in the words of the client for servers. */
  async #settled<T>(work: () => T): Promise<T> {
    // A closed connection must not reach the driver, which would end the process.
    if (!this.#connection.open) throw new LibsqlError("The client is closed", "CLIENT_CLOSED");
    try {
      return await work();
    } catch (cause) {
      throw translated(cause);
    }
  }

  #run(sql: string, args: readonly SqlValue[]): StatementResult {
    const { statement, columns } = lengthOf(args) > MAX_KEPT_VALUES
      ? this.#prepare(sql)
      : this.#prepared(sql);
    if (!columns) return { rows: [], rowsAffected: statement.run(args).changes };
    const rows = statement.all(args).map((values) => rowOf(values as unknown[], columns));
    return { rows, rowsAffected: 0 };
  }

  /** The statement that is kept, which is the latest used one from here on. */
  #prepared(sql: string): Prepared {
    const prepared = this.#kept.get(sql) ?? this.#prepare(sql);
    if (sql.length > MAX_KEPT_LENGTH) return prepared;
    this.#kept.delete(sql);
    if (this.#kept.size >= MAX_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(sql, prepared);
    return prepared;
  }

  #prepare(sql: string): Prepared {
    const statement = this.#connection.prepare(sql).safeIntegers(true);
    const columns = statement.reader ? statement.raw(true).columns().map(({ name }) => name) : undefined;
    return { statement, columns };
  }
}

function lengthOf(args: readonly SqlValue[]): number {
  return args.reduce<number>((length, value) => length + (typeof value === "string" ? value.length : 0), 0);
}

/** The values of one row, by number and by name. Throws RangeError when a number would lose digits. */
function rowOf(values: unknown[], columns: readonly string[]): Row {
  const row = values as unknown as Row;
  for (let index = 0; index < columns.length; index++) {
    const value = values[index];
    if (typeof value === "bigint") {
      const number = Number(value);
      if (!Number.isSafeInteger(number)) throw new RangeError(`${value} is too large for a number`);
      row[index] = number;
    } else if (value instanceof Uint8Array) {
      row[index] = value.slice().buffer;
    }
    row[columns[index]!] = row[index]!;
  }
  return row;
}

function translated(cause: unknown): unknown {
  const { code, rawCode } = cause as { readonly code?: unknown; readonly rawCode?: unknown };
  if (!(cause instanceof Error) || typeof rawCode !== "number") return cause;
  const name = CODES[(rawCode & 0xff) - 1] ?? `UNKNOWN_${rawCode & 0xff}`;
  return new LibsqlError(cause.message, `SQLITE_${name}`, String(code), rawCode, cause);
}
