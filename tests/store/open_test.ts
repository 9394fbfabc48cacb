import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { SCHEMA_VERSION } from "../../lib/store/mod.ts";
import { event, filter, open, put, withDirectory } from "./fixtures.ts";

Deno.test("C-25 a database that cannot be opened is an error with its path", () =>
  withDirectory(async (path, directory) => {
    const missing = join(directory, "no", "such", "events.db");
    await assert.rejects(
      open(missing),
      (error: Error) => error.message.startsWith(`cannot open database at ${missing}: `),
    );
    await Deno.writeTextFile(path, "this is not a database, but long enough to be looked at".repeat(50));
    await assert.rejects(
      open(path),
      (error: Error) => error.message.startsWith(`cannot open database at ${path}: `),
    );
    assert.match(await Deno.readTextFile(path), /^this is not a database/);
    await assert.rejects(open(directory), /^Error: cannot open database at /);
  }));

Deno.test("C-25 a database of a later release is refused, not changed", () =>
  withDirectory(async (path) => {
    const client = createClient({ url: `file:${path}` });
    await client.execute("PRAGMA user_version = 7");
    client.close();
    await assert.rejects(open(path), {
      message: `database schema 7 is newer than this program knows (${SCHEMA_VERSION})`,
    });
    const again = createClient({ url: `file:${path}` });
    assert.equal((await again.execute("PRAGMA user_version")).rows[0]?.[0], 7);
    assert.equal((await again.execute("SELECT count(*) FROM sqlite_schema")).rows[0]?.[0], 0);
    again.close();
  }));

Deno.test("a store can be closed and opened again, several times in one process", () =>
  withDirectory(async (path) => {
    for (let round = 1; round <= 3; round++) {
      const { store } = await open(path);
      await put(store, event({ content: String(round) }));
      assert.equal(await store.count([filter()]), round);
      await store.ping();
      await store.close();
    }
  }));

Deno.test("the file of a store that was closed holds everything, without the write-ahead log beside it", () =>
  withDirectory(async (path, directory) => {
    const bench = await open(path);
    const stored = event();
    await put(bench.store, stored);
    await bench.store.close();
    const copy = join(directory, "copy.db");
    await Deno.copyFile(path, copy);
    const again = await open(copy);
    assert.equal(await again.store.has(stored.id), true);
    await again.store.close();
  }));

Deno.test("paths with blanks, percent signs and question marks name the file they say", () =>
  withDirectory(async (_path, directory) => {
    const path = join(directory, "a b%20c?d#e.db");
    const { store } = await open(path);
    await put(store, event());
    await store.close();
    assert.ok((await Deno.stat(path)).isFile);
  }));
