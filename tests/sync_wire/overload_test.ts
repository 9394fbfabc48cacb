import assert from "node:assert/strict";
import { comments, filter, NOW, stage, TAGGED, unsigned } from "./support.ts";

Deno.test("S-110 S62 a burst beyond the buffer: memory stays bounded and nothing is lost", async () => {
  const filters = Array.from({ length: 10 }, (_, n) => filter({ "#e": [`${n}`] }));
  const events = filters.flatMap((_, n) =>
    Array.from({ length: 1_000 }, (_, index) => unsigned({ tags: [["e", `${n}`]], created_at: NOW - index }))
  );
  for (const obeysPause of [true, false]) {
    let most = 0;
    let commit: Promise<undefined> | undefined;
    const play = await stage({
      events,
      settings: { bufferedEvents: 1_500 },
      admit: () => {
        most = Math.max(most, play.link.queueDepth);
        // One slow commit for all who wait.
        return commit ??= play.clock.sleep(200).then(() => commit = undefined);
      },
    });
    play.peer.deliversWhilePaused = !obeysPause;
    play.link.openLive([TAGGED]);
    const running = play.history(filters, { allowNegentropy: false });
    const live = comments(20, 1, 10);
    for (const event of live) {
      await play.pass(100);
      play.peer.publish(event);
    }
    assert.equal((await play.finish(running, 3_600_000)).result, "complete");
    assert.equal(play.missing([...events, ...live]), 0);
    assert.deepEqual(play.ends, []);
    if (obeysPause) assert.ok(play.peer.pauses > 0 && most < 1_500, `${most}`);
    else assert.ok(most <= 4 * 1_500, `${most}`);
  }
});

Deno.test("S-110 at the bound historic subscriptions are closed and resumed below half of it", async () => {
  const events = comments(900, 1);
  let isSlow = true;
  const play = await stage({
    events,
    settings: { bufferedEvents: 300 },
    admit: async () => {
      if (isSlow) await play.clock.sleep(1_000);
      return undefined;
    },
  });
  play.link.openLive([TAGGED]);
  const running = play.history([TAGGED], { allowNegentropy: false });
  await play.until(() => play.peer.sent("CLOSE").length > 0);
  assert.equal(play.peer.historic().length, 1);
  await play.pass(1_000);
  assert.equal(play.peer.subscriptions.size, 1, "the live one stays");
  isSlow = false;
  assert.equal((await play.finish(running)).result, "complete");
  assert.equal(play.missing(events), 0);
  assert.ok(play.peer.historic()[1]!.filter.until! as number < NOW);
});

Deno.test("S-110 four times the bound, or 64 MiB, end the link", async () => {
  const stuck = () => new Promise<undefined>(() => {});
  for (const [count, content] of [[1_300, ""], [80, "x".repeat(900_000)]] as const) {
    const play = await stage({ settings: { bufferedEvents: 300 }, admit: stuck });
    play.link.openLive([TAGGED]);
    await play.pass(10);
    for (let n = 0; n < count; n++) {
      play.peer.publish(
        unsigned({
          tags: [["a", TAGGED.tags.get("a")![0]!]],
          created_at: NOW,
          ...(content && { content: content + n }),
        }),
      );
    }
    await play.pass(50);
    assert.deepEqual(play.ends.map(({ reason }) => reason), ["overload"]);
    assert.equal(play.metrics.counts["dropped overload"], 1);
  }
});

Deno.test("a peer that answers without reading is left before what is sent to it fills the memory", async () => {
  const play = await stage({ memory: { negentropy: "unsupported" } });
  play.peer.isReading = false;
  const values = Array.from({ length: 1_000 }, (_, n) => `${n}`.padStart(64, "0"));
  const filters = Array.from({ length: 1_000 }, (_, n) => filter({ "#e": values, since: n }));
  play.history(filters);
  await play.until(() => play.ends.length > 0);
  assert.deepEqual(play.ends, [{ reason: "silent", text: "the peer does not read" }]);
  assert.ok(play.peer.sentBytes < 20 << 20, `${play.peer.sentBytes}`);
});

Deno.test("a peer that claims to accept next to nothing does not multiply our requests", async () => {
  const play = await stage({
    rules: { document: { limitation: { max_message_length: 1 } } },
    memory: { negentropy: "unsupported" },
  });
  await play.until(() => play.memory.limits !== undefined);
  const values = Array.from({ length: 100 }, (_, n) => `${n}`.padStart(64, "0"));
  const filters = Array.from({ length: 300 }, (_, n) => filter({ "#e": values, since: n }));
  const { progress } = play.history(filters);
  await play.pass(10);
  assert.ok(progress.outstandingSubs.size <= 4 * filters.length, `${progress.outstandingSubs.size}`);
});
