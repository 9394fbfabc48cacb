import assert from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { ANNOUNCEMENTS, comments, filter, NOW, type PeerRules, stage, TAGGED, unsigned } from "./support.ts";

/** Ids the link asked for, in the order of its requests. */
function requested(play: Awaited<ReturnType<typeof stage>>): string[][] {
  return play.peer.historic().map(({ filter }) => filter.ids as string[]).filter((ids) => ids !== undefined);
}

Deno.test("S-53 negentropy is tried first; the switch, the verdict and a repair yield no NEG-OPEN", async () => {
  const cases = [
    [{}, {}, true, 1],
    [{ disableNegentropy: true }, {}, true, 0],
    [{}, { negentropy: "unsupported" }, true, 0],
    [{}, {}, false, 0],
  ] as const;
  for (const [settings, memory, allowNegentropy, opens] of cases) {
    const events = comments(5);
    const play = await stage({ events, settings, memory });
    const running = play.history([{ ...TAGGED, since: 10 }], { allowNegentropy });
    assert.equal((await play.finish(running)).result, "complete");
    assert.equal(play.peer.sent("NEG-OPEN").length, opens);
    assert.equal(running.progress.method, opens === 1 ? "negentropy" : "req");
    assert.equal(play.missing(events), 0);
    if (opens === 1) {
      const until = Math.floor(play.clock.now() / 1000) + 1_800;
      assert.deepEqual(play.peer.sent("NEG-OPEN")[0]![2], {
        "#a": [...TAGGED.tags.get("a")!],
        since: 10,
        until,
      });
    }
  }
});

Deno.test("S-54 with equal data on both sides no event is transferred", async () => {
  const events = comments(700);
  const play = await stage({ events, held: events });
  assert.equal((await play.finish(play.history([TAGGED]))).result, "complete");
  assert.equal(play.admitted.length, 0);
  assert.equal(play.peer.historic().length, 0);
  assert.equal(play.metrics.counts["negentropy complete"], 1);
  await play.pass(5);
  assert.equal(play.peer.sent("NEG-CLOSE").length, 1);
});

Deno.test("S-55 S-56 ids that are held or must not be fetched are never requested", async () => {
  const events = comments(50);
  const held = events.slice(0, 20);
  const unwanted = events.slice(20, 30).map(({ id }) => id);
  const play = await stage({ events, held, unwanted });
  await play.finish(play.history([TAGGED]));
  assert.deepEqual(new Set(requested(play).flat()), new Set(events.slice(30).map(({ id }) => id)));
  assert.equal(play.metrics.counts.redundant, undefined);
});

Deno.test("S-57 missing ids of all filters are united and fetched in chunks of at most 300", async () => {
  const events = comments(700);
  const overlapping = filter({ kinds: [1111] });
  const play = await stage({ events });
  const running = play.history([TAGGED, overlapping]);
  assert.equal((await play.finish(running)).result, "complete");
  assert.deepEqual(requested(play).map(({ length }) => length), [300, 300, 100]);
  assert.equal(play.missing(events), 0);
  assert.equal(play.memory.negentropy, "supported");
  assert.equal(running.progress.outstandingSubs.size, 0);
});

Deno.test("S-58 an event that went to purgatory or was refused counts as received", async () => {
  for (const result of ["purgatory", "rejected", "duplicate"] as const) {
    const play = await stage({ events: comments(20), admit: () => Promise.resolve(result) });
    assert.equal((await play.finish(play.history([TAGGED]))).result, "complete");
    assert.equal(requested(play).length, 1, result);
    assert.equal(play.memory.negentropy, "supported");
  }
});

Deno.test("S-58 an id that arrives live meanwhile is not missing", async () => {
  const events = comments(10);
  const late = events[3]!;
  const play = await stage({ events });
  play.link.openLive([TAGGED]);
  await play.pass(20);
  play.peer.rules.intercept = (frame, peer) => {
    if (frame[0] !== "REQ" || !(frame[2] as { ids?: string[] }).ids) return false;
    const live = peer.live()[0]![1];
    peer.send("EVENT", live, late);
    for (const event of events) if (event !== late) peer.send("EVENT", frame[1], event);
    peer.send("EOSE", frame[1]);
    return true;
  };
  assert.equal((await play.finish(play.history([TAGGED]))).result, "complete");
  assert.equal(requested(play).length, 1);
});

Deno.test("S-59 S33 partly served ids are asked for again in smaller chunks while progress continues", async () => {
  const events = comments(300);
  const play = await stage({ events, rules: { idsCap: 50 } });
  const running = play.history([TAGGED]);
  assert.equal((await play.finish(running)).result, "complete");
  assert.equal(play.missing(events), 0);
  assert.equal(play.memory.negentropy, "supported");
  assert.equal(requested(play)[1]!.length <= 150, true);
  assert.ok(running.progress.retryCount > 0);
});

Deno.test("S-60 S-61 S32 zero of requested in a retry: unsupported, paged semantic REQ, for Layer 1 too", async () => {
  const events = Array.from({ length: 120 }, (_, n) => unsigned({ kind: 30617, created_at: NOW - n }));
  for (const lists of ["its own events, which it serves to other filters", "events it does not have"]) {
    const play = await stage({
      events,
      rules: {
        cap: 100,
        document: { limitation: { max_limit: 100 } },
        ...(lists.includes("not have") && { negentropy: "lies" as const }),
        intercept: (frame, peer) => {
          if (frame[0] !== "REQ" || !(frame[2] as { ids?: unknown }).ids) return false;
          peer.send("EOSE", frame[1]);
          return true;
        },
      },
    });
    const running = play.history([ANNOUNCEMENTS]);
    const outcome = await play.finish(running);
    assert.equal(play.memory.negentropy, "unsupported");
    assert.equal(running.progress.method, "req");
    assert.equal(running.progress.requestedIds, undefined);
    assert.equal(play.missing(events), 0);
    assert.equal(outcome.result, lists.includes("not have") ? "failed" : "complete", lists);
    assert.equal(play.log.records.filter(({ level }) => level === "warn").length, 1);
  }
});

Deno.test("S-60 after the fallback what must not be fetched is not missing", async () => {
  const events = comments(3);
  const refused = new Set<string>();
  const play = await stage({
    events,
    store: {
      watch: () => () => {},
      heldItems: () => Promise.resolve([]),
      unwanted: (ids) => Promise.resolve(new Set(ids.filter((id) => refused.has(id)))),
    },
    rules: {
      intercept: (frame, peer) => {
        if (frame[0] !== "REQ") return false;
        if (!(frame[2] as { ids?: unknown }).ids) { for (const { id } of events) refused.add(id); }
        peer.send("EOSE", frame[1]);
        return true;
      },
    },
  });
  assert.equal((await play.finish(play.history([TAGGED]))).result, "complete");
});

Deno.test("S-62 S29 a NOTICE about an unknown envelope starts the fallback within 100 ms", async () => {
  const events = comments(5);
  const play = await stage({ events, rules: { negentropy: "notice" } });
  const running = play.history([TAGGED, ANNOUNCEMENTS]);
  await play.pass(100);
  assert.ok(play.peer.historic().length >= 2);
  assert.equal((await play.finish(running)).result, "complete");
  assert.equal(play.memory.negentropy, "unsupported");
  await play.finish(play.history([TAGGED]));
  assert.equal(play.peer.sent("NEG-OPEN").length, 2, "later histories skip negentropy");
});

Deno.test("S-62 a NOTICE about negentropy means nothing while nothing is negotiated", async () => {
  const play = await stage();
  play.peer.send("NOTICE", "negentropy is disabled");
  await play.pass(10);
  assert.equal(play.memory.negentropy, "unknown");
});

Deno.test("S-63 S30 no reply in 10 s starts the fallback; the second such occasion is a verdict", async () => {
  const events = comments(5);
  const many = Array.from({ length: 8 }, (_, n) => filter({ kinds: [n + 1] }));
  const play = await stage({ events, rules: { negentropy: "silent" } });
  const first = play.history([TAGGED, ...many]);
  await play.pass(9_900);
  assert.equal(play.peer.historic().length, 0);
  assert.equal((await play.finish(first, 1_000)).result, "complete", "the other filters do not wait again");
  assert.equal(play.memory.negentropy, "unknown");
  assert.equal(play.memory.negentropyTimeouts, 1);
  await play.finish(play.history([TAGGED]));
  assert.equal(play.memory.negentropy, "unsupported");
  assert.equal(play.missing(events), 0);
});

Deno.test("S-64 the verdict outlives the link, since it is kept in the memory of the peer", async () => {
  const play = await stage({ events: comments(5), rules: { negentropy: "version" } });
  await play.finish(play.history([TAGGED]));
  play.link.close();
  await play.until(() => play.ends.length === 1);
  await play.connect();
  await play.finish(play.history([TAGGED]));
  assert.equal(play.peer.sent("NEG-OPEN").length, 1);
});

Deno.test("S-65 S31 one failing filter does not send the others to REQ; each refusal has its verdict", async () => {
  const cases: readonly [NonNullable<PeerRules["negentropy"]>, string][] = [
    ["closed", "unknown"],
    ["garbage", "unsupported"],
    ["version", "unsupported"],
    ["endless", "unsupported"],
  ];
  for (const [negentropy, verdict] of cases) {
    const events = [...comments(5), unsigned({ kind: 30617, created_at: NOW - 1 })];
    const play = await stage({ events, rules: { negentropy }, memory: { negentropy: "supported" } });
    assert.equal((await play.finish(play.history([TAGGED]))).result, "complete", negentropy);
    assert.equal(play.memory.negentropy, verdict === "unknown" ? "supported" : verdict, negentropy);
    assert.equal(play.missing(events.slice(0, 5)), 0);
  }
  const play = await stage({
    events: comments(5),
    rules: {
      intercept: (frame, peer) => {
        if (frame[0] !== "NEG-OPEN" || !(frame[2] as { "#a"?: unknown })["#a"]) return false;
        peer.send("NEG-ERR", frame[1], "closed: not this one");
        return true;
      },
    },
  });
  await play.finish(play.history([TAGGED, ANNOUNCEMENTS, filter({ kinds: [1111] })]));
  const byReq = play.peer.historic().filter(({ filter }) => !filter.ids);
  assert.equal(byReq.length, 2, "a page and its verification");
  assert.ok(byReq.every(({ filter }) => filter["#a"]));
  assert.equal(play.missing(play.peer.events), 0);
});

Deno.test("S34 NEG-ERR blocked halves the time range until the peer agrees", async () => {
  const events = comments(400, 86_400);
  const play = await stage({ events, rules: { negentropy: "blocked", maxItems: 100 } });
  assert.equal((await play.finish(play.history([TAGGED]))).result, "complete");
  assert.equal(play.missing(events), 0);
  assert.ok(play.peer.historic().every(({ filter }) => filter.ids), "all by id");
  assert.equal(play.metrics.counts["negentropy complete"], 1);
});

Deno.test("S34 a peer that blocks every range is asked eleven times, then paged", async () => {
  const events = comments(30);
  const play = await stage({ events, rules: { negentropy: "blocked", maxItems: -1 } });
  assert.equal((await play.finish(play.history([TAGGED]))).result, "complete");
  assert.equal(play.peer.sent("NEG-OPEN").length, 11);
  assert.equal(play.missing(events), 0);
  assert.equal(play.metrics.counts["negentropy blocked"], 1);
  assert.equal(play.memory.negentropy, "unknown");
});

Deno.test("S-53 three negotiations at a time", async () => {
  const play = await stage({ rules: { negentropy: "silent" } });
  void play.history(Array.from({ length: 9 }, (_, n) => filter({ kinds: [n + 1] })));
  await play.pass(50);
  assert.equal(play.peer.sent("NEG-OPEN").length, 3);
  play.link.dropHistory();
  await play.pass(10);
  assert.equal(play.peer.sent("NEG-CLOSE").length, 3);
  assert.equal(play.link.openSubscriptions, 0);
});

Deno.test("S10 every message twice: stored once, counted once, confirmed once", async () => {
  const events = comments(400);
  const play = await stage({ events, rules: { twice: true } });
  assert.equal((await play.finish(play.history([TAGGED, ANNOUNCEMENTS]))).result, "complete");
  assert.equal(play.metrics.counts.synced, 400);
  assert.equal(play.memory.negentropy, "supported");
  assert.deepEqual(play.ends, []);
});

Deno.test("S06 a cut during a negotiation, and between it and the fetch, drops the history", async () => {
  for (const at of ["NEG-OPEN", "REQ"]) {
    const play = await stage({
      events: comments(5),
      rules: {
        intercept: (frame, peer) => {
          if (frame[0] === at) peer.cut();
          return frame[0] === at;
        },
      },
    });
    const running = play.history([TAGGED]);
    assert.equal((await play.finish(running)).result, "dropped", at);
    assert.equal(running.progress.outstandingSubs.size, 0);
  }
});

Deno.test("a set too large for memory is negotiated in parts", async () => {
  const events: NostrEvent[] = comments(20, 10_000_000);
  let refusals = 0;
  const play = await stage({
    events,
    store: {
      watch: () => () => {},
      heldItems: (one) => Promise.resolve(one.since === undefined && ++refusals ? undefined : []),
      unwanted: () => Promise.resolve(new Set()),
    },
  });
  assert.equal((await play.finish(play.history([{ ...TAGGED }]))).result, "complete");
  assert.ok(refusals > 0);
  assert.equal(play.missing(events), 0);
});

Deno.test("a peer that lists ids without end fills no memory: those filters are fetched page by page", async () => {
  let listed = 0;
  const play = await stage({
    rules: {
      intercept: ([type, id], peer) => {
        if (type !== "NEG-OPEN") return false;
        const ids = Array.from({ length: 10_000 }, () => (++listed).toString(16).padStart(64, "0"));
        // One list up to infinity.
        peer.send("NEG-MSG", id, `61000002${varint(ids.length)}${ids.join("")}`);
        return true;
      },
    },
  });
  const filters = Array.from({ length: 40 }, (_, n) => filter({ "#e": [`${n}`] }));
  const running = play.history(filters);
  await play.until(() => running.progress.requestedIds !== undefined || running.outcome !== undefined);
  assert.equal(play.peer.sent("NEG-OPEN").length, filters.length);
  assert.equal(play.metrics.counts["negentropy complete"], 30);
  assert.ok(running.progress.requestedIds!.size <= 300_000);
  assert.ok(play.peer.historic().some(({ id }) => id.startsWith("h-")));
  play.link.close();
  await play.until(() => running.outcome !== undefined);
});

/** In hex. */
function varint(value: number): string {
  const bytes = [value & 0x7f];
  for (let rest = value >> 7; rest > 0; rest >>= 7) bytes.unshift((rest & 0x7f) | 0x80);
  return Uint8Array.from(bytes).toHex();
}
