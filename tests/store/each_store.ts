import { createClient } from "@libsql/client/http";
import { fastTempDirectory } from "../support/fast_directory.ts";
import { Sqld } from "../support/sqld.ts";
import { type Bench, open, remote, withMemory } from "./fixtures.ts";

let directory = "";
let sqld: Sqld;

Deno.test.beforeAll(async () => {
  directory = await fastTempDirectory("sqld-");
  sqld = await Sqld.start({ directory });
});

Deno.test.afterAll(async () => {
  await sqld.kill();
  await Deno.remove(directory, { recursive: true });
});

/** A test that does the same with an empty store in memory and with one of a database server. */
export function eachStore(
  work: (bench: Bench) => Promise<void>,
): (test: Deno.TestContext) => Promise<void> {
  return async (test) => {
    await test.step("in memory", () => withMemory(work));
    await test.step("on a database server", async () => {
      await empty(sqld.url);
      const bench = await open(sqld.url, { remote: remote() });
      try {
        await work(bench);
      } finally {
        await bench.store.close();
      }
    });
  };
}

/** As if nobody had ever used the database. */
async function empty(url: string): Promise<void> {
  const client = createClient({ url });
  const tables = await client.execute(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
  );
  if (tables.rows.length > 0) {
    const drops = tables.rows.map((row) => `DROP TABLE "${row.name}"`);
    await client.migrate([...drops, "DELETE FROM sqlite_sequence", "PRAGMA user_version = 0"]);
  }
  client.close();
}
