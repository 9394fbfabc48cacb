import assert from "node:assert/strict";
import { matchesFilter } from "../../lib/nostr/mod.ts";
import { PageCaps, PageChain, type PageEnd } from "../../lib/sync/history_paging.ts";
import { compareForProcessing, kindRank } from "../../lib/sync/link_intake.ts";
import { inPacks, peerBounds } from "../../lib/sync/peer_budget.ts";
import { parsePeerLimits } from "../../lib/sync/peer_document.ts";
import { closedMeaning, isAboutNegentropy, isRateLimit, isSetTooLarge } from "../../lib/sync/peer_reasons.ts";
import { filterText, halveTimeRange, splitToFit } from "../../lib/sync/wire_filter.ts";
import { parsePeerFrame } from "../../lib/sync/wire_frames.ts";
import { comments, filter, newMemory, SETTINGS } from "./support.ts";

Deno.test("S-67 what a CLOSED asks for", () => {
  const cases = [
    ["auth-required: members only", "auth"],
    ["rate-limited: slow down", "rate"],
    ["error: too many requests", "rate"],
    ["you are throttled", "rate"],
    ["rate-limited: too many subscriptions", "budget"],
    ["error: too many concurrent REQs", "budget"],
    ["ERROR: maximum concurrent subscription count reached", "budget"],
    ["restricted: no", "final"],
    ["Blocked: no", "final"],
    ["unsupported: filter", "final"],
    ["invalid: filter has too many values", "final"],
    ["error: database", "error"],
    ["", "error"],
    ["closed", "error"],
  ] as const;
  for (const [reason, meaning] of cases) assert.equal(closedMeaning(reason), meaning, reason);
});

Deno.test("S-69 S-62 what a NOTICE means", () => {
  for (const text of ["Rate limited", "limit of rate", "TOO MANY", "Slow Down!", "throttling"]) {
    assert.ok(isRateLimit(text));
  }
  for (const text of ["", "rated", "limits"]) assert.ok(!isRateLimit(text));
  for (const text of ["unknown Envelope", "bad NEG-OPEN", "Negentropy disabled"]) {
    assert.ok(isAboutNegentropy(text));
  }
  for (const text of ["neg-", "unknown message"]) assert.ok(!isAboutNegentropy(text));
  assert.ok(isSetTooLarge("blocked: this query is too big"));
  assert.ok(!isSetTooLarge("blocked: too many sessions") && !isSetTooLarge("closed: idle"));
});

/** Pages as lists of created_at; an id is its second and a letter for repetitions. */
type Page = readonly string[];

Deno.test("S-46 S-49 S-50 what follows a page", () => {
  const full = (second: number, count = 4): Page =>
    Array.from({ length: count }, (_, n) => `${second}${"abcdefgh"[n]}`);
  const cases: readonly [
    name: string,
    pages: readonly (readonly [Page, PageEnd])[],
    steps: string,
    untils: readonly (number | undefined)[],
  ][] = [
    ["P1 empty", [[[], "eose"]], "done", [undefined]],
    ["P2 full", [[["90a", "80a", "70a", "70b"], "eose"], [["70a", "70b"], "eose"]], "next done", [
      70,
      undefined,
    ]],
    ["verification finds nothing", [[["90a", "80a"], "eose"], [["80a"], "eose"]], "next done", [
      80,
      undefined,
    ]],
    [
      "verification finds more",
      [[["90a", "80a"], "eose"], [["80a", "70a"], "eose"], [["70a"], "eose"]],
      "next next done",
      [80, 70, undefined],
    ],
    [
      "P3 one second overflows",
      [[full(70), "eose"], [full(70), "eose"], [["60a"], "eose"]],
      "next next done",
      [70, 69, undefined],
    ],
    ["P4 down to since", [[full(50), "eose"], [full(50), "eose"]], "next done", [50, undefined]],
    ["cut without events", [[[], "cut"]], "failed", [undefined]],
    ["cut counts as full", [[["90a"], "cut"], [["90a"], "cut"], [[], "eose"]], "next next done", [
      90,
      89,
      undefined,
    ]],
    [
      "overload resumes",
      [[["90a", "80a"], "overload"], [[], "overload"], [["80a"], "overload"], [["80a"], "eose"]],
      "next next next next",
      [80, 80, 80, 80],
    ],
  ];
  for (const [name, pages, steps, untils] of cases) {
    let threshold = 4;
    const caps = new PageCaps(() => threshold, () => false, (learned) => threshold = learned);
    const chain = new PageChain(50, caps);
    const taken: string[] = [];
    for (const [index, [events, end]] of pages.entries()) {
      for (const id of events) chain.add({ id, created_at: parseInt(id) });
      const step = chain.next(end);
      taken.push(step);
      if (step === "next") assert.equal(chain.until, untils[index], `${name}, page ${index}`);
    }
    assert.equal(taken.join(" "), steps, name);
    assert.equal(
      chain.isPossiblyIncomplete,
      ["P3", "P4", "cut counts"].some((start) => name.startsWith(start)),
      name,
    );
  }
});

Deno.test("S-50 a page size is verified once, and a larger page settles the smaller ones", () => {
  let learned = 0;
  const caps = new PageCaps(() => 75, () => false, (threshold) => learned = threshold);
  caps.seen(10);
  assert.ok(caps.isSuspicious(10));
  caps.verified(10, false);
  assert.ok(!caps.isSuspicious(10) && !caps.isSuspicious(3) && caps.isSuspicious(11));
  caps.seen(50);
  assert.ok(!caps.isSuspicious(49) && caps.isSuspicious(50));
  caps.verified(50, true);
  assert.equal(learned, 50);
  assert.ok(
    !new PageCaps(() => 75, () => true, () => {}).isSuspicious(50),
    "an advertised limit is believed",
  );
});

Deno.test("S-49 a chain without an end is given up", () => {
  const caps = new PageCaps(() => 1, () => true, () => {});
  const chain = new PageChain(undefined, caps);
  let pages = 0;
  for (;; pages++) {
    chain.add({ id: `${pages}`, created_at: 1_000_000 - pages });
    if (chain.next("eose") !== "next") break;
  }
  assert.equal(pages, 10_000);
});

Deno.test("S-66 budgets that follow from what a peer advertises and refuses", () => {
  const cases: readonly [
    limits: Record<string, number>,
    learned: number | undefined,
    budget: number,
    historic: number,
    live: number,
  ][] = [
    [{}, undefined, 70, 13, 57],
    [{ maxSubscriptions: 500 }, undefined, 70, 13, 57],
    [{ maxSubscriptions: 20 }, undefined, 18, 9, 9],
    [{ maxSubscriptions: 20 }, 6, 6, 3, 3],
    [{ maxSubscriptions: 4 }, undefined, 2, 1, 1],
    [{ maxSubscriptions: 2 }, undefined, 2, 1, 1],
    [{ maxSubscriptions: 1 }, undefined, 1, 1, 0],
  ];
  for (const [limits, learned, budget, historic, live] of cases) {
    const bounds = peerBounds(SETTINGS, newMemory({ limits, learnedBudget: learned }));
    assert.deepEqual(
      [bounds.budget, bounds.historic, bounds.live],
      [budget, historic, live],
      JSON.stringify(limits),
    );
    assert.ok(bounds.historicRequests <= 10 && bounds.negotiations <= 3);
  }
  const bounds = peerBounds(
    SETTINGS,
    newMemory({
      limits: { maxFilters: 4, maxLimit: 200, defaultLimit: 60, maxMessageLength: 10_000 },
    }),
  );
  assert.deepEqual(
    [
      bounds.filtersPerLive,
      bounds.pageLimit,
      bounds.pageThreshold,
      bounds.knowsPageLimit,
      bounds.idsPerRequest,
    ],
    [4, 200, 60, true, 60],
  );
  assert.equal(peerBounds(SETTINGS, newMemory({ limits: { maxMessageLength: 10_000 } })).idsPerRequest, 147);
  assert.equal(peerBounds(SETTINGS, newMemory({ learnedThreshold: 50 })).pageThreshold, 50);
  assert.deepEqual(inPacks([1, 2, 3, 4, 5, 6, 7], 3), [[1, 2], [3, 4], [5, 6, 7]]);
  assert.deepEqual(inPacks([], 3), []);
});

Deno.test("a NIP-11 document gives its limits, whatever else is wrong with it", () => {
  assert.deepEqual(
    parsePeerLimits(JSON.stringify({
      limitation: {
        max_subscriptions: 20,
        max_filters: -1,
        max_limit: "x",
        auth_required: true,
        max_subid_length: 64,
      },
    })),
    { maxSubscriptions: 20, authRequired: true, maxSubidLength: 64 },
  );
  for (const body of ["{}", "[]", "null", '{"limitation":null}', '{"limitation":[]}', '"text"']) {
    assert.deepEqual(parsePeerLimits(body), {}, body);
  }
  assert.equal(parsePeerLimits("<html>"), undefined);
});

Deno.test("S-74 frames of unknown type or shape are no frames", () => {
  for (
    const text of [
      "",
      "null",
      "{}",
      "[]",
      '["EVENT"]',
      '["EOSE",1]',
      '["PONG","x"]',
      '["OK","x","true"]',
      '["NEG-MSG","x"]',
      '["AUTH","' + "x".repeat(1_001) + '"]',
    ]
  ) {
    assert.equal(parsePeerFrame(text), undefined, text);
  }
  assert.deepEqual(parsePeerFrame('["CLOSED","a"]'), { type: "CLOSED", sub: "a", reason: "" });
  assert.deepEqual(parsePeerFrame('["COUNT",{"count":1}]'), { type: "COUNT" });
});

Deno.test("S-82 ranks: announcement, state, root event, update, the rest; then time, then id", () => {
  assert.deepEqual([30617, 30618, 1617, 1618, 1621, 1619, 1111, 5].map(kindRank), [0, 1, 2, 2, 2, 3, 4, 4]);
  const [a, b] = comments(2);
  assert.ok(compareForProcessing(a!, b!) > 0, "older first");
});

Deno.test("S34 halves of a time range cover it without overlap", () => {
  const now = 1_800_000_000;
  let one = filter({ kinds: [1] });
  for (let depth = 0; depth < 10; depth++) {
    const [older, newer] = halveTimeRange(one, now)!;
    assert.equal(older.until! + 1, newer.since);
    assert.equal(older.since, one.since);
    assert.equal(newer.until, one.until);
    one = depth % 2 === 0 ? newer : older;
  }
  assert.equal(halveTimeRange({ ...one, since: 5, until: 5 }, now), undefined);
});

Deno.test("splitting a filter by its longest list keeps what it matches", () => {
  const whole = filter({
    kinds: [1111],
    "#a": comments(1)[0]!.tags.map(([, value]) => value),
    "#e": Array.from({ length: 50 }, (_, n) => `${n}`),
  });
  const parts = splitToFit(whole, 250);
  assert.ok(parts.length > 1 && parts.every((part) => filterText(part).length <= 250));
  assert.deepEqual(parts.flatMap((part) => part.tags.get("e")), whole.tags.get("e"));
  assert.ok(
    parts.every((part) =>
      part.kinds && matchesFilter({ kinds: part.kinds, tags: new Map() }, comments(1)[0]!)
    ),
  );
  assert.deepEqual(
    splitToFit(filter({ kinds: [1] }), 5),
    [filter({ kinds: [1] })],
    "what cannot be split stays",
  );
});
