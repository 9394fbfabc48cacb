import assert from "node:assert/strict";
import { ANNOUNCEMENTS, comments, filter, NOW, stage, TAGGED, unsigned } from "./support.ts";

const issues = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => filter({ "#e": [`${from + index}`] }));

Deno.test("S-45 live REQs carry `limit` 0 and no `since`, and stay open after EOSE", async () => {
  const play = await stage({ events: comments(3) });
  play.link.openLive([ANNOUNCEMENTS, TAGGED]);
  await play.pass(100);
  assert.deepEqual(play.peer.live().map(([, , one]) => one), [
    { kinds: [30617, 10317], limit: 0 },
    { "#a": [...TAGGED.tags.get("a")!], limit: 0 },
  ]);
  assert.equal(play.peer.sent("CLOSE").length, 0);
  assert.equal(play.link.openSubscriptions, 2);
  const [event] = comments(1, 0, -5);
  play.peer.publish(event!);
  await play.pass(30);
  assert.equal(play.missing([event!]), 0);
  play.link.openLive([TAGGED]);
  await play.pass(20);
  assert.equal(play.peer.live().length, 2, "what is live is not opened twice");
});

Deno.test("S-45 live goes before history on the wire", async () => {
  const play = await stage();
  void play.history([TAGGED], { allowNegentropy: false });
  play.link.openLive([TAGGED]);
  await play.pass(20);
  play.link.openLive([ANNOUNCEMENTS]);
  void play.history([ANNOUNCEMENTS], { allowNegentropy: false });
  await play.pass(20);
  const roles = play.peer.sent("REQ").map(([, id]) => (id as string).split("-")[0]);
  assert.deepEqual(roles.slice(2), ["live", "h"]);
});

Deno.test("a peer that answers `limit` 0 with stored events, or refuses it, gets `since` from then on", async () => {
  const stored = comments(2);
  const answering = await stage({
    rules: {
      intercept: (frame, peer) => {
        if (frame[0] !== "REQ") return false;
        for (const event of stored) peer.send("EVENT", frame[1], event);
        peer.send("EOSE", frame[1]);
        return true;
      },
    },
  });
  answering.link.openLive([TAGGED]);
  await answering.pass(100);
  assert.equal(answering.memory.liveNeedsSince, true);
  assert.equal(answering.missing(stored), 0, "what it sent is kept");

  const refusing = await stage({
    rules: {
      intercept: (frame, peer) => {
        if (frame[0] !== "REQ" || (frame[2] as { limit?: number }).limit !== 0) return false;
        peer.send("CLOSED", frame[1], "invalid: limit must be positive");
        return true;
      },
    },
  });
  refusing.link.openLive([TAGGED]);
  await refusing.pass(100);
  assert.equal(refusing.memory.liveNeedsSince, true);
  assert.equal(refusing.link.partlyLive, false);
  const [, , second] = refusing.peer.live()[1]!;
  assert.deepEqual(second, { "#a": [...TAGGED.tags.get("a")!], since: NOW });
  refusing.link.openLive([ANNOUNCEMENTS]);
  await refusing.pass(100);
  assert.equal((refusing.peer.live()[2]![2] as { limit?: number }).limit, undefined);
});

Deno.test("S-68 a live subscription closed with an error is reopened after 5, 10, 20 ... 300 s", async () => {
  const play = await stage({
    rules: {
      intercept: (frame, peer) => {
        if (frame[0] === "REQ") peer.send("CLOSED", frame[1], "error: shutting down idle subscription");
        return frame[0] === "REQ";
      },
    },
  });
  play.link.openLive([TAGGED]);
  await play.pass(100);
  for (const delay of [5, 10, 20, 40, 80, 160, 300, 300]) {
    const before = play.peer.live().length;
    await play.pass(delay * 1_000 - 200);
    assert.equal(play.peer.live().length, before, `not before ${delay} s`);
    await play.until(() => play.peer.live().length === before + 1, 400);
  }
  assert.deepEqual(play.ends, [], "CLOSED never ends the connection");
});

Deno.test("S-68 a live subscription refused for good is not reopened, and the relay is partly live", async () => {
  for (const reason of ["restricted: members only", "blocked: no", "unsupported: tags", "invalid: filter"]) {
    const play = await stage({
      rules: {
        intercept: (frame, peer) => {
          if (frame[0] !== "REQ" || !(frame[2] as { "#a"?: unknown })["#a"]) return false;
          peer.send("CLOSED", frame[1], reason);
          return true;
        },
      },
    });
    play.link.openLive([TAGGED, ANNOUNCEMENTS]);
    await play.pass(600_000);
    assert.equal(play.link.partlyLive, true);
    assert.equal(play.link.openSubscriptions, 1);
    assert.equal(play.memory.liveNeedsSince, false, "the reason was another one");
    assert.ok(play.peer.live().length <= 3);
  }
});

Deno.test("S-66 an advertised max_subscriptions is never exceeded, whatever is asked for", async () => {
  for (const most of [1, 2, 3, 5, 10, 20, 500]) {
    const play = await stage({
      events: comments(200),
      rules: {
        cap: 100,
        document: { limitation: { max_subscriptions: most, max_filters: 20, max_limit: 100 } },
      },
    });
    play.link.openLive(issues(30));
    const running = play.history([TAGGED, ...issues(30)]);
    assert.equal((await play.finish(running)).result, "complete", `${most}`);
    play.link.openLive(issues(10, 30));
    play.link.replaceLive(issues(50));
    await play.finish(play.history([TAGGED], { allowNegentropy: false }));
    await play.pass(300_000);
    assert.ok(play.peer.mostOpen <= most, `${play.peer.mostOpen} of ${most}`);
    assert.equal(play.missing(play.peer.events), 0);
    assert.ok(play.link.budget <= 70);
  }
});

Deno.test("S-66 a refusal for too many subscriptions lowers the budget, at least to five, without a cooldown", async () => {
  const play = await stage({
    rules: {
      intercept: (frame, peer) => {
        if (frame[0] !== "REQ" || peer.subscriptions.size < 8) return false;
        peer.send("CLOSED", frame[1], "rate-limited: too many subscriptions");
        return true;
      },
    },
  });
  play.link.openLive(issues(12));
  await play.until(() => play.memory.learnedBudget !== undefined);
  await play.pass(30_000);
  assert.ok(play.memory.learnedBudget! >= 5 && play.memory.learnedBudget! < 12);
  assert.equal((await play.finish(play.history([TAGGED], { allowNegentropy: false }))).result, "complete");
  assert.equal(play.rateLimits, 0);
  const live = new Set(
    [...play.peer.subscriptions.values()].flat().flatMap((one) => one.tags.get("e") ?? []),
  );
  assert.equal(live.size, 12, "all are live, packed");
});

Deno.test("S-34 S40 a set beyond the budget is packed, at most ten filters a REQ, and costs as said", async () => {
  const play = await stage();
  const filters = issues(130);
  assert.equal(play.link.liveCost(filters), 13);
  assert.equal(play.link.liveCost(filters.slice(0, 7)), 7);
  play.link.openLive(filters);
  await play.pass(50);
  assert.equal(play.link.openSubscriptions, 13);
  assert.ok(play.peer.live().every((frame) => frame.length <= 12));
  const event = unsigned({ tags: [["e", "129"]], created_at: NOW });
  play.peer.publish(event);
  await play.pass(50);
  assert.equal(play.missing([event]), 0);
});

Deno.test("S-31 replaceLive opens before closing where both fit, and keeps what stays the same", async () => {
  const play = await stage();
  play.link.openLive([ANNOUNCEMENTS, ...issues(3)]);
  await play.pass(20);
  const before = play.peer.frames.length;
  play.link.replaceLive([ANNOUNCEMENTS, TAGGED]);
  await play.pass(20);
  assert.deepEqual(play.peer.frames.slice(before).map(([type]) => type), ["REQ", "CLOSE", "CLOSE", "CLOSE"]);
  assert.equal(play.link.openSubscriptions, 2);

  const full = await stage();
  full.link.openLive(issues(50));
  await full.pass(20);
  full.link.replaceLive(issues(50, 50));
  await full.pass(20);
  assert.equal(full.peer.frames[50]![0], "CLOSE", "without room for both, closing comes first");
  assert.equal(full.link.openSubscriptions, 50);
  assert.ok(full.peer.mostOpen <= 70);
});

Deno.test("S-31 in a cooldown the replaced subscriptions stay until the others can be opened", async () => {
  const play = await stage();
  play.link.openLive(issues(3));
  await play.pass(20);
  play.link.holdUntil(play.clock.monotonic() + 65_000);
  play.link.replaceLive([TAGGED]);
  await play.pass(60_000);
  assert.equal(play.peer.subscriptions.size, 3);
  await play.pass(11_000);
  assert.equal(play.peer.subscriptions.size, 1);
  assert.equal(play.peer.live().length, 4);
});

Deno.test("S-68 what is published while the peer has a live subscription closed arrives when it is open again", async () => {
  let isBroken = true;
  const play = await stage({
    rules: {
      intercept: (frame, peer) => {
        const isLive = frame[0] === "REQ" && String(frame[1]).startsWith("live");
        if (!isLive || !isBroken) return false;
        isBroken = false;
        peer.send("CLOSED", frame[1], "error: restarting");
        return true;
      },
    },
  });
  play.link.openLive([TAGGED]);
  await play.pass(100);
  const [event] = comments(1, 0, -5);
  play.peer.publish(event!);
  await play.pass(1_000);
  assert.equal(play.missing([event!]), 1);
  await play.pass(10_000);
  assert.equal(play.peer.live().length, 2);
  assert.equal(play.missing([event!]), 0);
});
