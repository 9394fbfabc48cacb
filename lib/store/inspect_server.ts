import type { Clock } from "../world/mod.ts";
import { connectRemotely } from "./remote_client.ts";
import type { Fetch } from "./remote_fetch.ts";

/** Whom to ask, and how. */
export interface ServerInspection {
  readonly url: string;
  readonly authToken: string | undefined;
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** Longest time for each of the few requests, in milliseconds. */
  readonly timeoutMs: number;
}

/** What a database server tells about its database. */
export interface ServerFacts {
  /** Schema version; 0 before the first start. */
  readonly version: number;
  /** True when there is no table at all. */
  readonly isEmpty: boolean;
  /** The instance that holds the database, and for how many seconds if it is not heard of again. */
  readonly holder: { readonly instance: string; readonly secondsLeft: number } | undefined;
  /** Newest `created_at` of a stored event, in seconds. */
  readonly newestEvent: number | undefined;
}

/**
 * Asks a database server for the facts and proves that our token may write, in a transaction that is
 * rolled back. Rejects with an error in words.
 */
export async function inspectDatabaseServer(inspection: ServerInspection): Promise<ServerFacts> {
  const client = connectRemotely(inspection.url, inspection);
  try {
    const transaction = await client.transaction("write");
    try {
      const [version, tables] = await transaction.batch([
        "PRAGMA user_version",
        "SELECT name FROM sqlite_schema WHERE type = 'table'",
        "CREATE TABLE ngit_grasp_check (proof TEXT)",
      ]);
      const names = new Set(tables!.rows.map((row) => row.name));
      const lease = names.has("database_lease")
        ? await transaction.execute("SELECT instance, until - unixepoch() AS secondsLeft FROM database_lease")
        : undefined;
      const newest = names.has("events")
        ? await transaction.execute("SELECT max(created_at) FROM events")
        : undefined;
      const held = lease?.rows[0];
      const isHeld = held !== undefined && Number(held.secondsLeft) > 0;
      return {
        version: Number(version!.rows[0]?.[0]),
        isEmpty: names.size === 0,
        holder: isHeld
          ? { instance: String(held.instance), secondsLeft: Number(held.secondsLeft) }
          : undefined,
        newestEvent: Number(newest?.rows[0]?.[0] ?? 0) || undefined,
      };
    } finally {
      await transaction.rollback().catch(() => {});
    }
  } finally {
    client.close();
  }
}
