import assert from "node:assert/strict";
import { NOW_MS, open, withDirectory } from "./fixtures.ts";

Deno.test("P-85 every acknowledged row survives SIGKILL, with unchanged times", () =>
  withDirectory(async (path) => {
    const script = new URL("./crash_process.ts", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--config", "deno.json", script, path],
      stdout: "piped",
    }).spawn();
    let text = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.split("\n").length > 300) {
        child.kill("SIGKILL");
        break;
      }
    }
    await child.status;
    const acknowledged = text.split("\n").slice(0, -1).map((line) => line.split(" ") as [string, string]);
    assert.ok(acknowledged.length >= 300);

    const { store } = await open(path);
    for (const [id, identifier] of acknowledged) {
      assert.ok(await store.has(id));
      assert.ok(await store.isExpired(id));
      const rows = await store.readIdentifier(identifier);
      const { waitingAnnouncements, waitingStates, waitingPullRequests, placeholders } = rows;
      for (const entries of [waitingAnnouncements, waitingStates, waitingPullRequests, placeholders]) {
        const times = entries.map((
          { firstEnteredAt, enteredAt, deadlineAt },
        ) => [firstEnteredAt, enteredAt, deadlineAt]);
        assert.deepEqual(times, [[NOW_MS, NOW_MS + 1, NOW_MS + 2]]);
      }
    }
    const dirty = new Set((await store.dirtyMarks()).map(({ identifier }) => identifier));
    assert.ok(acknowledged.every(([, identifier]) => dirty.has(identifier)));
    await store.close();
  }));
