import { LocalClient } from "./local_client.ts";
import type { DatabaseClient } from "./statement.ts";

/**
 * Opens the one connection to a database in a file (`file:` URL) or in memory (`:memory:`), sets its
 * PRAGMAs and verifies them. For `busyTimeoutMs` SQLite waits for a lock; it blocks the event loop
 * meanwhile.
 */
export async function connectLocally(url: string, busyTimeoutMs: number): Promise<DatabaseClient> {
  // Loads a native module, for which a server with a remote database needs no permission.
  const { default: Libsql } = await import("libsql");
  const client = new LocalClient(new Libsql(pathOf(url), { timeout: busyTimeoutMs }));
  try {
    await pragma(client, "foreign_keys", "ON", 1);
    await pragma(client, "temp_store", "MEMORY", 2);
    if (url !== ":memory:") await setUpFile(client, busyTimeoutMs);
    return client;
  } catch (cause) {
    client.close();
    throw cause;
  }
}

async function setUpFile(client: DatabaseClient, busyTimeoutMs: number): Promise<void> {
  await pragma(client, "busy_timeout", String(busyTimeoutMs), busyTimeoutMs);
  await pragma(client, "journal_mode", "WAL", "wal");
  await pragma(client, "synchronous", "FULL", 2);
  // Other processes may read the file (backups do) and never stop a commit; the lock of the data
  // directory keeps a second server away. An empty write transaction shows a foreign writer at start.
  await client.batch([], "write");
}

/** Sets a PRAGMA and checks that it took effect. */
async function pragma(
  client: DatabaseClient,
  name: string,
  value: string,
  expected: string | number,
): Promise<void> {
  await client.execute({ sql: `PRAGMA ${name} = ${value}`, args: [] });
  const actual = (await client.execute({ sql: `PRAGMA ${name}`, args: [] })).rows[0]?.[0];
  if (actual !== expected) throw new Error(`PRAGMA ${name} is ${actual} instead of ${expected}`);
}

/** The path in a `file:` URL, which has no host, or this one. */
export function pathOf(url: string): string {
  return decodeURIComponent(url.replace(/^file:(\/\/(localhost)?(?=\/))?/, ""));
}
