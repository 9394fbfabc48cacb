import type { ResultSet } from "@libsql/client";

/** A value bound to a statement. Integers are bigint: the driver binds a number as REAL. */
export type SqlValue = string | bigint | null;

/** One prepared statement with its values. */
export interface Statement {
  readonly sql: string;
  readonly args: readonly SqlValue[];
}

/** What a statement came to. */
export type StatementResult = Pick<ResultSet, "rows" | "rowsAffected">;

/** A connection to a database, or to a server that has one. */
export interface DatabaseClient {
  execute(statement: { readonly sql: string; readonly args: SqlValue[] }): Promise<StatementResult>;
  /** One transaction. */
  batch(
    statements: { readonly sql: string; readonly args: SqlValue[] }[],
    mode: "write" | "deferred",
  ): Promise<readonly StatementResult[]>;
  close(): void;
}
