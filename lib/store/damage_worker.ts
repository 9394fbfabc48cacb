/** Reads all pages of a database file in a thread of its own; one message each way. */
import Libsql from "libsql";
import { damageOf, type DamageReply } from "./damage.ts";
import { LocalClient } from "./local_client.ts";

/** The part of a worker's global scope that is used here. */
interface WorkerScope {
  onmessage: ((message: MessageEvent<string>) => void) | null;
  postMessage(reply: DamageReply): void;
}

const scope = self as unknown as WorkerScope;
const BUSY_TIMEOUT_MS = 10_000;

async function check(path: string): Promise<DamageReply> {
  try {
    const client = new LocalClient(new Libsql(path, { timeout: BUSY_TIMEOUT_MS }));
    try {
      await client.execute({ sql: "PRAGMA query_only = ON", args: [] });
      return { damage: await damageOf(async (sql) => (await client.execute({ sql, args: [] })).rows) };
    } finally {
      client.close();
    }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

scope.onmessage = async ({ data }) => scope.postMessage(await check(data));
