import type { Row } from "@libsql/client";
import type { Logger, PurgatoryEntryType, StoreGroup } from "../observe/mod.ts";
import { type Clock, nowSeconds } from "../world/mod.ts";
import type { Database } from "./database.ts";
import type { SqlValue, Statement, StatementResult } from "./statement.ts";
import type { DamagedRow, ReadRows } from "./waiting_rows.ts";
import type { Writer } from "./writer.ts";

/** Condition on `expires_at`, with the present ({@link Reader.now}) as its one argument (NIP-40). */
export const UNEXPIRED = "(expires_at IS NULL OR expires_at > ?)";

/** Tables of purgatory by what their rows are. */
const ENTRY_TABLES: Readonly<Partial<Record<DamagedRow["table"], PurgatoryEntryType>>> = {
  waiting_announcements: "announcement",
  waiting_states: "state",
  waiting_pull_requests: "pr",
  placeholders: "placeholder",
};

/** What a {@link Reader} needs. */
export interface ReaderParts {
  readonly database: Pick<Database, "read" | "readAll">;
  /** Without one damaged rows are passed over and stay where they are. */
  readonly writer?: Pick<Writer, "run">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: StoreGroup;
}

/** Reads typed rows, and moves those that are damaged to quarantine. */
export class Reader {
  readonly #parts: ReaderParts;

  /** Reads from an open, migrated database. */
  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  /** The present in seconds, as a value for a statement. */
  now(): bigint {
    return BigInt(nowSeconds(this.#parts.clock));
  }

  /** The present in milliseconds, as a value for a statement. */
  nowMs(): bigint {
    return BigInt(Math.floor(this.#parts.clock.now()));
  }

  /** The rows of one statement. */
  async rows(sql: string, args: readonly SqlValue[] = []): Promise<readonly Row[]> {
    return (await this.#parts.database.read(sql, args)).rows;
  }

  /** The number in the first column of the first row. */
  async number(sql: string, args: readonly SqlValue[] = []): Promise<number> {
    return Number((await this.rows(sql, args))[0]?.[0]);
  }

  /** The results of several statements on one snapshot. */
  async all(statements: readonly Statement[]): Promise<readonly StatementResult[]> {
    return await this.#parts.database.readAll(statements);
  }

  /** The usable values of a read, after moving damaged rows to the quarantine table. */
  async usable<T>({ values, damaged }: ReadRows<T>): Promise<readonly T[]> {
    for (const row of damaged) await this.#quarantine(row);
    return values;
  }

  async #quarantine({ table, row, json, reason }: DamagedRow): Promise<void> {
    const { writer, log, clock, metrics } = this.#parts;
    if (!writer) return log.error("a damaged database row", { table, reason, row: Number(row) });
    log.error("a damaged database row was moved to quarantine", { table, reason, row: Number(row) });
    // The text is compared too: the row may have been replaced by a good one since it was read.
    const where = `FROM ${table} WHERE ${table === "events" ? "seq" : "rowid"} = ?1 AND json = ?2`;
    const at = BigInt(Math.floor(clock.now()));
    try {
      const moved = await writer.run([
        {
          sql: `INSERT INTO quarantine (source, reason, at, json) SELECT ?3, ?4, ?5, json ${where}`,
          args: [row, json, table, reason, at],
        },
        { sql: `DELETE ${where}`, args: [row, json] },
      ]);
      const type = ENTRY_TABLES[table];
      if (type && moved > 0) metrics.corrupt(type);
    } catch (cause) {
      log.warn("a damaged row stays where it is", { table, cause: String(cause) });
    }
  }
}
