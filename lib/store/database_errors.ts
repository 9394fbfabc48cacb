import { LibsqlError } from "@libsql/client/http";

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
  "TRANSACTION_CLOSED",
  "TRANSACTION_TIMEOUT",
  "TRANSACTION_BUSY",
]);

const TRANSIENT = /^(SQLITE_BUSY|SQLITE_LOCKED|CLIENT_CLOSED|TRANSACTION_(CLOSED|TIMEOUT|BUSY))$/;

/** A transaction that the driver reported as committed is not there: its connection is poisoned. */
export class LostTransactionError extends Error {}

/** Another server writes to this database: nothing of ours may be written until this one is started anew. */
export class TakenOverError extends Error {}

/**
 * A remote database did not do what it was asked. `cut`: the answer is missing, so that a transaction
 * may have been committed all the same; `late`: the same, after the full waiting time; `refused`: it
 * answered that it would not.
 */
export class RemoteError extends Error {
  readonly reason: "cut" | "late" | "refused";

  constructor(message: string, reason: "cut" | "late" | "refused", cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

/** True when the database as a whole is in trouble, so that smaller transactions would fail too. */
export function isDatabaseTrouble(cause: unknown): boolean {
  return cause instanceof LostTransactionError || cause instanceof TakenOverError ||
    cause instanceof RemoteError || (cause instanceof LibsqlError && TROUBLE.has(cause.code));
}

/** True when another connection stood in the way, or ours was replaced or cut: worth another try. */
export function isTransient(cause: unknown): boolean {
  return cause instanceof LostTransactionError ||
    (cause instanceof RemoteError && cause.reason === "cut") ||
    (cause instanceof LibsqlError && TRANSIENT.test(cause.code));
}

/** True when the database itself said that a transaction failed: nothing of it is there, or ever will be. */
export function isDefinite(cause: unknown): boolean {
  return cause instanceof TakenOverError || (cause instanceof RemoteError && cause.reason === "refused") ||
    (cause instanceof LibsqlError && !TROUBLE.has(cause.code));
}

/** One line that says what went wrong. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
