import type { Statement } from "./statement.ts";

/** How long a server that is not heard of keeps a remote database, in seconds. */
export const LEASE_SECS = 30;
/** How often a lease is renewed, in milliseconds. */
export const RENEW_MS = 10_000;

/** Where one server says that a remote database is its own; times are those of the database's host. */
const TABLE = `CREATE TABLE IF NOT EXISTS database_lease (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  instance TEXT NOT NULL,
  session TEXT NOT NULL,
  until INTEGER NOT NULL
)`;

/** Who holds a remote database. */
export interface LeaseHolder {
  /** Names a server's data directory, of which only one process can have possession. */
  readonly instance: string;
  /** Names one run of that server. */
  readonly session: string;
}

/**
 * A transaction that takes the lease if it is free, has ended, or is left from an earlier run of the
 * same instance. The last result tells who has it: columns `session` and `secondsLeft`.
 */
export function takeLease({ instance, session }: LeaseHolder): readonly Statement[] {
  return [
    { sql: TABLE, args: [] },
    { sql: "INSERT OR IGNORE INTO database_lease VALUES (1, '', '', 0)", args: [] },
    {
      sql: `UPDATE database_lease SET instance = ?1, session = ?2, until = unixepoch() + ${LEASE_SECS}
        WHERE until <= unixepoch() OR instance = ?1`,
      args: [instance, session],
    },
    { sql: "SELECT session, until - unixepoch() AS secondsLeft FROM database_lease", args: [] },
  ];
}

/**
 * The first statement of every transaction: renews the lease, or fails (NOT NULL) and takes the
 * transaction along when another server has it, however late the transaction arrives.
 */
export function underLease({ session }: LeaseHolder): Statement {
  return {
    sql: `UPDATE database_lease SET session = iif(session = ?1, session, NULL),
      until = unixepoch() + ${LEASE_SECS}`,
    args: [session],
  };
}

/** A row when the lease is still ours. */
export function ownLease({ session }: LeaseHolder): Statement {
  return { sql: "SELECT 1 FROM database_lease WHERE session = ?", args: [session] };
}

/** Gives the lease back; nothing when it is not ours any more. */
export function endLease({ session }: LeaseHolder): Statement {
  return { sql: "UPDATE database_lease SET until = 0 WHERE session = ?", args: [session] };
}
