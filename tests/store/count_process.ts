/** A stranger to the store: prints the number of events in the database file named as argument, or the error code. */
import { createClient, LibsqlError } from "@libsql/client";

async function count(path: string): Promise<string> {
  try {
    const client = createClient({ url: `file:${path}` });
    return String((await client.execute("SELECT count(*) FROM events")).rows[0]?.[0]);
  } catch (cause) {
    return cause instanceof LibsqlError ? cause.code : String(cause);
  }
}

await Deno.stdout.write(new TextEncoder().encode(await count(Deno.args[0]!)));
