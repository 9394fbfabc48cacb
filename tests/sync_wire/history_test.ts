import assert from "node:assert/strict";
import { ANNOUNCEMENTS, comments, filter, NOW, REPO, stage, TAGGED, unsigned } from "./support.ts";

const limited = { document: { limitation: { max_limit: 500 } } };

Deno.test("S-46 a page of 75 leads to another page, one of 74 does not", async () => {
  for (const [count, pages] of [[74, 1], [75, 2]] as const) {
    const play = await stage({ events: comments(count), rules: { ...limited } });
    const outcome = await play.page([TAGGED]);
    assert.equal(outcome.result, "complete");
    assert.equal(play.peer.historic().length, pages, `${count} events`);
    assert.equal(play.missing(play.peer.events), 0);
  }
});

Deno.test("S-47 S35 the next page has `until` equal to the minimum seen, keeps `since`, and all arrive", async () => {
  const events = comments(1_000);
  const play = await stage({ events, rules: { cap: 100, document: { limitation: { max_limit: 100 } } } });
  await play.page([{ ...TAGGED, since: 5 }]);
  const pages = play.peer.historic();
  assert.equal(play.missing(events), 0);
  assert.ok(pages.every(({ filter: { since, limit } }) => since === 5 && limit === 100));
  assert.equal(pages[0]!.filter.until, undefined);
  assert.equal(pages[1]!.filter.until, events[99]!.created_at);
  assert.equal(pages[2]!.filter.until, events[198]!.created_at, "the shared second is asked for again");
  assert.equal(play.peer.sent("CLOSE").length, pages.length, "historic subscriptions are closed by us");
});

Deno.test("S-48 S38 refused, purgatory and duplicate events count for the page", async () => {
  for (const result of ["rejected", "purgatory", "duplicate"] as const) {
    const events = comments(180);
    const wanted = events.at(-1)!;
    const play = await stage({
      events,
      rules: { cap: 75, ...limited },
      admit: ({ id }) => Promise.resolve(id === wanted.id ? undefined : result),
    });
    assert.equal((await play.page([TAGGED])).result, "complete");
    assert.ok(play.held.has(wanted.id), result);
  }
});

Deno.test("S-49 S37 paging ends when one second overflows a page, marked possibly incomplete", async () => {
  const events = comments(500, 0);
  const older = comments(3, 10, 5_000);
  const play = await stage({ events: [...events, ...older], rules: { cap: 100, ...limited } });
  const outcome = await play.page([TAGGED]);
  assert.deepEqual([outcome.result, outcome.possiblyIncomplete], ["complete", true]);
  assert.equal(play.missing(older), 0, "what is older is still read");
  assert.ok(play.peer.historic().length < 6);
  assert.ok(play.log.records.some(({ level }) => level === "warn"));
});

Deno.test("S-49 paging ends when a page brings nothing new", async () => {
  const events = comments(75, 0);
  const play = await stage({ events, rules: { ...limited } });
  assert.equal((await play.page([TAGGED])).result, "complete");
  assert.equal(play.peer.historic().length, 3);
});

Deno.test("S-50 S36 a peer capping at 50 unannounced is fully read", async () => {
  const events = comments(400);
  const other = filter({ kinds: [1] });
  const few = [1, 2, 3].map((n) => unsigned({ kind: 1, created_at: NOW - n }));
  const play = await stage({ events: [...events, ...few], rules: { cap: 50 } });
  const outcome = await play.page([other, TAGGED]);
  assert.equal(outcome.result, "complete");
  assert.equal(play.missing(events), 0, "a short page elsewhere proves nothing about this one");
  assert.equal(play.memory.learnedThreshold, 50);
});

Deno.test("S-51 S18 no EOSE for 30 s: one resend, then failure; live goes on, and nobody is redialled", async () => {
  const play = await stage({ rules: { withoutEose: true } });
  play.link.openLive([ANNOUNCEMENTS]);
  const running = play.history([TAGGED], { allowNegentropy: false });
  await play.pass(29_000);
  assert.equal(play.peer.historic().length, 1);
  await play.pass(2_000);
  assert.equal(play.peer.historic().length, 2);
  assert.equal(play.peer.sent("CLOSE").some(([, id]) => id === play.peer.historic()[0]!.id), true);
  const outcome = await play.finish(running);
  assert.deepEqual([outcome.result, outcome.failedFilters], ["failed", [TAGGED]]);
  assert.equal(running.progress.outstandingSubs.size, 0);
  play.peer.publish(unsigned({ kind: 30617, created_at: NOW }));
  await play.pass(500);
  assert.equal(play.metrics.counts.synced, 1);
  assert.deepEqual(play.ends, []);
  assert.equal(play.metrics.counts.stalled, 2);
});

Deno.test("S19 a peer that streams events without end is cut after 5 000 of a page and asked for the rest", async () => {
  const events = comments(6_000, 1);
  const play = await stage({
    events,
    rules: { cap: 100_000, withoutEose: true },
    settings: { pageLimit: 100_000, bufferedEvents: 100_000 },
  });
  const running = play.history([TAGGED], { allowNegentropy: false });
  await play.until(() => play.missing(events) === 0);
  const [first, second] = play.peer.historic();
  assert.ok(play.peer.sent("CLOSE").some(([, id]) => id === first!.id));
  assert.equal(second!.filter.until, events[5_000]!.created_at);
  assert.equal((await play.finish(running)).result, "failed", "the second page never ends");
});

Deno.test("S-67 S23 CLOSED with an error before EOSE is resent once after five seconds", async () => {
  const events = comments(3);
  let refusals = 1;
  const play = await stage({
    events,
    rules: {
      intercept: (frame, peer) => {
        if (frame[0] !== "REQ" || refusals-- <= 0) return false;
        peer.send("CLOSED", frame[1], "error: could not connect to the database");
        return true;
      },
    },
  });
  const running = play.history([TAGGED], { allowNegentropy: false });
  await play.pass(4_900);
  assert.equal(play.peer.historic().length, 1);
  assert.ok(running.progress.outstandingSubs.size > 0, "the batch waits for it");
  assert.equal((await play.finish(running)).result, "complete");
  assert.equal(play.missing(events), 0);
});

Deno.test("S-67 S24 each CLOSED reason before EOSE ends or resends the subscription as tabled", async () => {
  const cases: readonly [reason: string, requests: number, result: string, minimumMs: number][] = [
    ["restricted: not for you", 1, "failed", 0],
    ["blocked: no", 1, "failed", 0],
    ["unsupported: tag filters", 1, "failed", 0],
    ["invalid: filter", 1, "failed", 0],
    ["error: oops", 2, "failed", 5_000],
    ["", 2, "failed", 5_000],
    ["something else", 2, "failed", 5_000],
    ["auth-required: who are you", 1, "failed", 3_000],
  ];
  for (const [reason, requests, result, minimumMs] of cases) {
    const events = [unsigned({ kind: 30617, created_at: NOW - 5 })];
    const play = await stage({
      events,
      rules: {
        intercept: (frame, peer) => {
          if (frame[0] !== "REQ" || (frame[2] as { "#a"?: unknown })["#a"] === undefined) return false;
          peer.send("CLOSED", frame[1], reason);
          return true;
        },
      },
    });
    const startedAt = play.clock.monotonic();
    const outcome = await play.page([TAGGED, ANNOUNCEMENTS]);
    assert.deepEqual([outcome.result, outcome.failedFilters], [result, [TAGGED]], reason);
    const asked = play.peer.historic().filter(({ filter }) => filter["#a"]).length;
    assert.equal(asked, requests, reason);
    assert.ok(play.clock.monotonic() - startedAt >= minimumMs, reason);
    assert.equal(play.missing(events), 0, "the rest is confirmed");
    assert.deepEqual(play.ends, []);
  }
});

Deno.test("S-52 S-99 a link lost between pages drops the history at once", async () => {
  const play = await stage({ events: comments(200), rules: { cap: 100, ...limited } });
  play.peer.rules.intercept = (frame, peer) => {
    if (frame[0] === "REQ" && peer.historic().length === 2) peer.cut();
    return false;
  };
  const running = play.history([TAGGED], { allowNegentropy: false });
  assert.deepEqual(await play.finish(running), { result: "dropped", failedFilters: [] });
  assert.deepEqual(play.ends, [{ reason: "lost", text: "reset" }]);
  assert.deepEqual(
    await play.link.history({ ...running, filters: [TAGGED], allowNegentropy: false, fallback: () => [] }),
    {
      result: "dropped",
      failedFilters: [],
    },
  );
});

Deno.test("S-52 dropped history closes its subscriptions, and late answers change nothing", async () => {
  const play = await stage({ rules: { withoutEose: true } });
  const running = play.history([TAGGED, ANNOUNCEMENTS], { allowNegentropy: false });
  await play.until(() => play.peer.historic().length === 2);
  play.link.dropHistory();
  assert.equal((await play.finish(running)).result, "dropped");
  for (const { id } of play.peer.historic()) play.peer.send("EOSE", id);
  await play.pass(100);
  assert.equal(play.peer.sent("CLOSE").length, 2);
  assert.equal(play.link.openSubscriptions, 0);
});

Deno.test("at most ten historic subscriptions are open; the rest waits in order", async () => {
  const play = await stage({ rules: { withoutEose: true } });
  const filters = Array.from({ length: 25 }, (_, index) => filter({ "#e": [`${index}`] }));
  const running = play.history(filters, { allowNegentropy: false });
  await play.pass(50);
  assert.equal(play.peer.historic().length, 10);
  assert.ok(running.progress.outstandingSubs.size === 25, "waiting ones are outstanding too");
  play.peer.send("EOSE", play.peer.historic()[0]!.id);
  await play.pass(50);
  assert.equal(play.peer.historic().length, 11);
  assert.deepEqual(play.peer.historic()[10]!.filter["#e"], ["10"]);
  play.link.dropHistory();
});

Deno.test("a storage fault of ours fails the filter, and nothing is asked in circles", async () => {
  const play = await stage({ events: comments(3), admit: () => Promise.resolve("failed") });
  const outcome = await play.finish(play.history([TAGGED]));
  assert.deepEqual(outcome.failedFilters, [TAGGED]);
  assert.notEqual(play.memory.negentropy, "unsupported");
  assert.equal(play.peer.historic().length, 1);
});

Deno.test("a filter too long for the peer's messages is fetched in parts", async () => {
  const refs = Array.from({ length: 100 }, (_, index) => `${REPO}${index}`);
  const events = refs.map((ref, index) => unsigned({ tags: [["a", ref]], created_at: NOW - index }));
  const play = await stage({
    events,
    rules: { document: { limitation: { max_message_length: 4_096, max_limit: 500 } } },
  });
  assert.equal((await play.page([filter({ "#a": refs })])).result, "complete");
  assert.equal(play.missing(events), 0);
  assert.ok(play.peer.sent("REQ").every((frame) => JSON.stringify(frame).length <= 4_096));
});
