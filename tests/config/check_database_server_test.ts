import assert from "node:assert/strict";
import { createClient } from "@libsql/client/http";
import { checkConfig } from "../../lib/commands/check_config.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { Sqld } from "../support/sqld.ts";

Deno.test("C-31 a database server is asked whether it is there, free, writable and of a known schema; nothing changes there", async () => {
  const cwd = await Deno.makeTempDir();
  const sqld = await Sqld.start({ directory: cwd });
  const client = createClient({ url: sqld.url });
  const verdict = async (...args: string[]) => {
    const report = await checkConfig({
      args: ["--check-config", "--bind-address=127.0.0.1:0", `--database-url=${sqld.url}`, ...args],
      env: { PATH: Deno.env.get("PATH"), NGIT_DATABASE_AUTH_TOKEN: "hushhush" },
      cwd,
      readTextFile: Deno.readTextFile,
      schemaVersion: 2,
      clock: systemClock,
    });
    assert.doesNotMatch(report.text, /hushhush/);
    return report.text.split("\n").find((line) => line.startsWith("database "))!.replace(/\s+/g, " ");
  };
  const tables = async () => (await client.execute("SELECT count(*) FROM sqlite_schema")).rows[0]?.[0];
  try {
    assert.equal(await verdict(), `database ok ${sqld.url} is empty and will be initialised`);
    assert.equal(await tables(), 0);
    await client.batch(["CREATE TABLE events (created_at INTEGER)", "PRAGMA user_version = 1"], "write");
    assert.equal(await verdict(), `database warn ${sqld.url}: will migrate 1→2`);
    await client.execute("PRAGMA user_version = 2");
    assert.equal(await verdict(), `database ok ${sqld.url}: schema 2`);
    assert.equal(await tables(), 1);
    await client.batch([
      "CREATE TABLE database_lease (instance TEXT, until INTEGER)",
      `INSERT INTO database_lease VALUES ('${"a".repeat(32)}', unixepoch() + 20)`,
    ], "write");
    assert.match(await verdict(), /FAIL http:\S+ is in use by another server \(lease ends in (?:20|19) s\)/);
    await Deno.mkdir(`${cwd}/data/relay`, { recursive: true });
    await Deno.writeTextFile(`${cwd}/data/relay/database-instance`, `${"a".repeat(32)}\n`);
    assert.match(await verdict(), /database ok/);
    await client.execute("PRAGMA user_version = 7");
    assert.match(await verdict(), /FAIL http:\S+: database schema 7 is newer than this program knows \(2\)/);
    await sqld.kill();
    assert.match(await verdict(), /FAIL cannot open database at http:\S+: .* cannot be reached/);
  } finally {
    client.close();
    await sqld.kill();
    await Deno.remove(cwd, { recursive: true });
  }
});
