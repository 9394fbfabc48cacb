import assert from "node:assert/strict";
import { createClient } from "@libsql/client";
import { event, filter, open, put, withDirectory } from "./fixtures.ts";

Deno.test("a locked database rejects commits, and what is acknowledged afterwards is really there", () =>
  withDirectory(async (path) => {
    const { store } = await open(path, { internals: { busyTimeoutMs: 5 } });
    const outsider = createClient({ url: `file:${path}` });
    const acknowledged: string[] = [];
    const attempt = async (content: string) => {
      const each = event({ content });
      try {
        await put(store, each);
        acknowledged.push(each.id);
      } catch { /* refused: nothing was promised */ }
    };
    for (let round = 0; round < 6; round++) {
      await attempt(`before ${round}`);
      const transaction = await outsider.transaction("write");
      await transaction.execute(`UPDATE commit_mark SET number = number`);
      const before = acknowledged.length;
      await Promise.all([attempt(`during ${round}`), attempt(`also during ${round}`)]);
      assert.equal(acknowledged.length, before, "acknowledged under a foreign lock");
      await transaction.rollback();
      await attempt(`after ${round}`);
      assert.equal(acknowledged.length, before + 1);
    }
    // Seen by another connection, and by a reopened store: not only by the connection that wrote.
    const seen = await outsider.execute("SELECT group_concat(id) FROM events");
    assert.deepEqual(String(seen.rows[0]?.[0]).split(",").toSorted(), acknowledged.toSorted());
    outsider.close();
    await store.close();
    const again = await open(path);
    assert.equal(await again.store.count([filter({ ids: acknowledged })]), acknowledged.length);
    assert.equal(acknowledged.length, 12);
    await again.store.close();
  }));

Deno.test("a lock that goes away within the second try does not fail the commit", () =>
  withDirectory(async (path) => {
    const { store, log } = await open(path, { internals: { busyTimeoutMs: 0 } });
    const outsider = createClient({ url: `file:${path}` });
    const transaction = await outsider.transaction("write");
    // The log line of the first failure is the moment between the two tries.
    log.warn = () => void transaction.rollback();
    assert.deepEqual(await put(store, event()), ["stored"]);
    const seen = await outsider.execute("SELECT count(*) FROM events");
    assert.equal(seen.rows[0]?.[0], 1);
    outsider.close();
    await store.close();
  }));

Deno.test("M-32 another process can read the database while it is open and written", () =>
  withDirectory(async (path) => {
    const { store } = await open(path);
    await put(store, event());
    assert.equal(await countFromOutside(path), "1");
    await put(store, event({ content: "second" }));
    assert.equal(await countFromOutside(path), "2");
    await store.close();
    assert.equal(await countFromOutside(path), "2");
  }));

/** What another process gets when it counts the events. */
async function countFromOutside(path: string): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--config",
      "deno.json",
      new URL("./count_process.ts", import.meta.url).pathname,
      path,
    ],
    stdout: "piped",
    stderr: "piped",
  }).output();
  return new TextDecoder().decode(stdout).trim() || new TextDecoder().decode(stderr);
}
