/** A value bound to a statement. Integers are bigint: the driver binds a number as REAL. */
export type SqlValue = string | bigint | null;

/** One prepared statement with its values. */
export interface Statement {
  readonly sql: string;
  readonly args: readonly SqlValue[];
}
