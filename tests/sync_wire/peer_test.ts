import assert from "node:assert/strict";
import { verifyEvent } from "nostr-tools/pure";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import {
  ANNOUNCEMENTS,
  comments,
  NOW,
  type ScriptedPeer,
  type Stage,
  stage,
  TAGGED,
  unsigned,
  URL,
} from "./support.ts";

const requests = (play: Stage) => play.peer.sent("REQ").length + play.peer.sent("NEG-OPEN").length;

const reasons = (play: Stage) => play.ends.map(({ reason }) => reason);

Deno.test("S-69 each of the four NOTICE patterns starts a 65 s cooldown; other notices do not", async () => {
  const cases: readonly [text: string, isSignal: boolean][] = [
    ["you hit the Rate LIMIT", true],
    ["Too many requests", true],
    ["please slow down", true],
    ["you are being throttled", true],
    ["rate us five stars", false],
    ["limit reached", false],
    ["welcome", false],
  ];
  for (const [text, isSignal] of cases) {
    const play = await stage({ events: comments(2) });
    play.peer.send("NOTICE", text);
    await play.pass(5);
    void play.history([TAGGED]);
    await play.pass(65_900);
    assert.equal(requests(play) === 0, isSignal, text);
    assert.equal(play.rateLimits, isSignal ? 1 : 0);
    await play.pass(5_000);
    assert.ok(requests(play) > 0, "work resumes by itself");
  }
});

Deno.test("S-70 S26 in a cooldown nothing is asked and live events arrive; afterwards paging goes on within 66 to 70 s", async () => {
  const events = comments(250);
  const play = await stage({ events, rules: { cap: 100, document: { limitation: { max_limit: 100 } } } });
  play.link.openLive([TAGGED]);
  const running = play.history([TAGGED], { allowNegentropy: false });
  await play.until(() => play.peer.historic().length === 1);
  play.peer.send("NOTICE", "slow down");
  await play.until(() => play.rateLimits === 1);
  const heldAt = play.clock.monotonic();
  const before = requests(play);
  await play.pass(30_000);
  const live = unsigned({ tags: [["a", TAGGED.tags.get("a")![0]!]], created_at: NOW + 30 });
  play.peer.publish(live);
  await play.pass(100);
  assert.equal(play.missing([live]), 0);
  assert.equal(requests(play), before);
  await play.until(() => requests(play) > before);
  const waited = play.clock.monotonic() - heldAt;
  assert.ok(waited >= 66_000 && waited <= 70_600, `${waited}`);
  assert.equal((await play.finish(running)).result, "complete");
  assert.equal(play.missing(events), 0);
});

Deno.test("S-70 S25 CLOSED rate-limited starts a cooldown, one signal for a burst, and is resent after it", async () => {
  let refuse = true;
  const play = await stage({
    events: comments(3),
    rules: {
      intercept: (frame, peer) => {
        if (frame[0] !== "REQ" || !refuse) return false;
        peer.send("CLOSED", frame[1], "rate-limited: slow down");
        return true;
      },
    },
  });
  const running = play.history([TAGGED, ANNOUNCEMENTS], { allowNegentropy: false });
  play.link.openLive([TAGGED]);
  await play.pass(60_000);
  assert.equal(play.rateLimits, 1);
  assert.equal(play.peer.historic().length, 2);
  refuse = false;
  assert.equal((await play.finish(running)).result, "complete");
  assert.equal(play.missing(play.peer.events), 0);
  assert.equal(play.peer.subscriptions.size, 1, "the live one is open again");
});

Deno.test("S-71 holdUntil forbids REQs from the first moment and can be moved", async () => {
  const play = await stage({ events: comments(2) });
  play.link.holdUntil(play.clock.monotonic() + 100_000);
  play.link.openLive([TAGGED]);
  void play.history([TAGGED]);
  await play.pass(50_000);
  play.link.holdUntil(play.clock.monotonic() + 100_000);
  await play.pass(100_000);
  assert.equal(requests(play), 0);
  await play.pass(6_000);
  assert.ok(requests(play) >= 2);
  play.link.holdUntil(play.clock.monotonic() + 100_000);
  play.link.holdUntil(0);
  play.link.openLive([ANNOUNCEMENTS]);
  await play.pass(10);
  assert.equal(play.peer.live().length, 2);
});

/** Serves only to the authenticated. */
function demandsAuth(accepts: boolean, serves = (_: unknown) => false) {
  let isAuthenticated = false;
  return (frame: readonly unknown[], peer: ScriptedPeer) => {
    if (frame[0] === "AUTH") {
      isAuthenticated = accepts;
      peer.send("OK", (frame[1] as NostrEvent).id, accepts, accepts ? "" : "restricted: not a member");
      return true;
    }
    if (frame[0] !== "REQ" || isAuthenticated || serves(frame[2])) return false;
    peer.send("AUTH", "challenge");
    peer.send("CLOSED", frame[1], "auth-required: members only");
    return true;
  };
}

Deno.test("S-72 S27 AUTH is answered with the key of this relay; refused REQs are resent after success", async () => {
  const events = comments(3);
  const play = await stage({ events, rules: { intercept: demandsAuth(true) } });
  play.link.openLive([TAGGED]);
  const running = play.history([TAGGED], { allowNegentropy: false });
  assert.equal((await play.finish(running)).result, "complete");
  const [[, event]] = play.peer.sent("AUTH") as [[string, NostrEvent]];
  assert.equal(event.kind, 22242);
  assert.deepEqual(event.tags, [["relay", URL], ["challenge", "challenge"]]);
  assert.ok(verifyEvent({ ...event, tags: event.tags.map((tag) => [...tag]) }));
  assert.equal(play.missing(events), 0);
  await play.pass(10);
  assert.equal(play.peer.subscriptions.size, 1, "the live one was resent too");
  assert.equal(play.peer.sent("AUTH").length, 1);
  assert.equal(play.link.partlyLive, false);
});

Deno.test("S-73 S28 AUTH failure leaves the public part working, at most three attempts", async () => {
  const publicEvent = unsigned({ kind: 30617, created_at: NOW - 1 });
  let challenges = 0;
  const refuse = demandsAuth(false, (one) => (one as { kinds?: unknown }).kinds !== undefined);
  const play = await stage({
    events: [publicEvent],
    rules: {
      intercept: (frame, peer) => {
        if (frame[0] === "AUTH") peer.send("AUTH", `challenge ${++challenges}`);
        return refuse(frame, peer);
      },
    },
  });
  play.link.openLive([TAGGED, ANNOUNCEMENTS]);
  const outcome = await play.finish(play.history([TAGGED, ANNOUNCEMENTS], { allowNegentropy: false }));
  assert.deepEqual(outcome, { result: "failed", failedFilters: [TAGGED] });
  assert.equal(play.missing([publicEvent]), 0);
  assert.equal(play.peer.sent("AUTH").length, 3);
  await play.pass(600_000);
  assert.equal(play.peer.sent("AUTH").length, 3);
  assert.equal(play.link.partlyLive, true);
  assert.deepEqual(play.ends, []);
  assert.ok(play.log.records.some(({ level }) => level === "warn"));
});

Deno.test("S-72 with auth_required in NIP-11 no REQ leaves before AUTH, or 3 s without a challenge", async () => {
  const document = { limitation: { auth_required: true } };
  const prompt = await stage({ rules: { document, intercept: demandsAuth(true) } });
  prompt.link.openLive([TAGGED]);
  await prompt.pass(100);
  assert.equal(prompt.peer.sent("REQ").length, 0);
  prompt.peer.send("AUTH", "challenge");
  await prompt.pass(50);
  assert.deepEqual(prompt.peer.frames.map(([type]) => type), ["AUTH", "REQ"]);

  const mute = await stage({ rules: { document } });
  mute.link.openLive([TAGGED]);
  await mute.pass(2_900);
  assert.equal(mute.peer.sent("REQ").length, 0);
  await mute.pass(200);
  assert.equal(mute.peer.sent("REQ").length, 1);
});

Deno.test("the first REQ waits a second for a document that hangs; one read lately is not asked for again", async () => {
  const play = await stage({ rules: { documentHangs: true } });
  play.link.openLive([TAGGED]);
  await play.pass(900);
  assert.equal(requests(play), 0);
  await play.pass(200);
  assert.equal(requests(play), 1);
  const known = await stage({ memory: { limits: { maxLimit: 100 }, limitsReadAt: NOW * 1000 - 3_600_000 } });
  assert.equal(known.peer.documents, 0);
  const stale = await stage({ memory: { limits: { maxLimit: 100 }, limitsReadAt: NOW * 1000 - 86_400_001 } });
  assert.equal(stale.peer.documents, 1);
});

Deno.test("S-74 S20 S21 S22 bad frames are dropped and counted, a hundred end the link", async () => {
  const good = comments(1)[0]!;
  const cases: readonly [reason: string, frame: (id: string) => string][] = [
    ["malformed", () => "{"],
    ["malformed", () => "{}"],
    ["malformed", () => '["HELLO","x"]'],
    ["malformed", () => '["EVENT",1,{}]'],
    ["invalid_event", (id) => JSON.stringify(["EVENT", id, { ...good, kind: -1 }])],
    ["invalid_event", (id) => JSON.stringify(["EVENT", id])],
    ["filter", (id) => JSON.stringify(["EVENT", id, unsigned({ created_at: NOW })])],
    ["subscription", () => JSON.stringify(["EVENT", "never", good])],
    ["subscription", () => JSON.stringify(["EVENT", "h-999999", good])],
    ["future", (id) => JSON.stringify(["EVENT", id, { ...good, created_at: NOW + 1_900 }])],
    ["size", (id) => JSON.stringify(["EVENT", id, { ...good, content: "x".repeat(5 << 20) }])],
  ];
  for (const [reason, frame] of cases) {
    const play = await stage();
    play.link.openLive([TAGGED]);
    await play.pass(10);
    const text = frame(play.peer.live()[0]![1] as string);
    for (let n = 0; n < 99; n++) play.peer.raw(text);
    await play.pass(100);
    assert.deepEqual(play.metrics.counts, { [`dropped ${reason}`]: 99 });
    assert.equal(play.admitted.length, 0);
    assert.deepEqual(play.ends, []);
    play.peer.raw(text);
    await play.pass(10);
    assert.deepEqual(reasons(play), ["abuse"]);
    await play.pass(10);
    assert.equal(play.peer.isOpen, false);
  }
});

Deno.test("S-74 events found invalid by the intake count as well, and newer than `until` is outside the filter", async () => {
  const play = await stage({ events: comments(120, 0), admit: () => Promise.resolve("invalid") });
  void play.history([TAGGED], { allowNegentropy: false });
  await play.until(() => play.ends.length === 1);
  assert.equal(play.ends[0]!.reason, "abuse");

  const newer = comments(1, 0, 10)[0]!;
  const paging = await stage({
    events: comments(75),
    rules: { document: { limitation: { max_limit: 75 } } },
  });
  paging.peer.rules.intercept = (frame, peer) => {
    if (frame[0] === "REQ" && (frame[2] as { until?: number }).until) peer.send("EVENT", frame[1], newer);
    return false;
  };
  await paging.page([TAGGED]);
  assert.equal(paging.metrics.counts["dropped filter"], 1);
  assert.equal(paging.missing([newer]), 1);
});

Deno.test("S-82 an EOSE is handled after all earlier events, which are sorted by rank, time and id", async () => {
  const wanted = { "#d": ["x"], kinds: [30617, 30618, 1618, 1619, 1] };
  const make = (kind: number, created_at: number) => unsigned({ kind, created_at, tags: [["d", "x"]] });
  const events = [
    make(1, NOW - 9),
    make(1619, NOW - 8),
    make(1618, NOW - 1),
    make(1618, NOW - 7),
    make(30618, NOW - 3),
    make(30617, NOW - 2),
  ];
  let release = () => {};
  const held = new Promise<void>((resolve) => release = resolve);
  const play = await stage({
    events,
    admit: async (event) => {
      if (event.kind === 1) await held;
      return undefined;
    },
  });
  const running = play.history([{ kinds: wanted.kinds, tags: new Map([["d", ["x"]]]) }], {
    allowNegentropy: false,
  });
  await play.pass(20);
  assert.deepEqual(
    play.admitted.map(({ kind, created_at }) => [kind, created_at - NOW]),
    [[30617, -2], [30618, -3], [1618, -7], [1618, -1], [1619, -8], [1, -9]],
    "an EOSE ends the collecting at once",
  );
  await play.pass(20_000);
  assert.equal(running.outcome, undefined);
  release();
  assert.equal((await play.finish(running)).result, "complete");
});

Deno.test("S-83 unknown, late and repeated EOSEs, and late events, are ignored", async () => {
  const events = comments(3);
  const play = await stage({ events });
  await play.page([TAGGED]);
  const { id } = play.peer.historic()[0]!;
  for (const sub of [id, id, "nobody"]) {
    play.peer.send("EOSE", sub);
    play.peer.send("CLOSED", sub, "");
    play.peer.send("NEG-ERR", sub, "closed:");
  }
  for (let n = 0; n < 150; n++) play.peer.send("EVENT", id, events[0]);
  await play.pass(100);
  assert.deepEqual(play.ends, []);
  assert.ok(!Object.keys(play.metrics.counts).some((key) => key.startsWith("dropped")));
});

Deno.test("S-25 S07 silence of 60 s is probed; no answer within 20 s ends the link of a peer known to answer", async () => {
  const play = await stage();
  play.link.openLive([TAGGED]);
  await play.pass(100);
  play.peer.rules.intercept = () => true;
  const from = play.clock.monotonic();
  const lastFrameAt = play.link.lastFrameAt;
  await play.pass(59_000);
  assert.equal(play.peer.sent("REQ").length, 1);
  await play.pass(2_000);
  const [, id, probe] = play.peer.sent("REQ")[1]!;
  assert.match(id as string, /^ka-/);
  const { since, ...rest } = probe as { since: number };
  assert.deepEqual(rest, { kinds: [30617], limit: 1 });
  assert.ok(Math.abs(since - (NOW + 60)) <= 1);
  await play.until(() => play.ends.length > 0);
  assert.ok(play.clock.monotonic() - from <= 81_000);
  assert.equal(play.ends[0]!.reason, "silent");
  assert.equal(play.link.lastFrameAt, lastFrameAt);
});

Deno.test("S-25 an answered probe is closed, and the link lives on", async () => {
  const play = await stage();
  play.link.openLive([TAGGED]);
  await play.pass(600_000);
  assert.deepEqual(play.ends, []);
  const probes = play.peer.sent("REQ").filter(([, id]) => (id as string).startsWith("ka-"));
  assert.ok(probes.length >= 8);
  assert.equal(play.peer.sent("CLOSE").length, probes.length);
});

Deno.test("S-25 a peer that never sends EOSE is judged by ten minutes of silence alone", async () => {
  const play = await stage({ rules: { withoutEose: true } });
  play.link.openLive([TAGGED]);
  await play.pass(500_000);
  play.peer.publish(comments(1)[0]!);
  await play.pass(590_000);
  assert.deepEqual(play.ends, []);
  await play.pass(120_000);
  assert.deepEqual(reasons(play), ["silent"]);
});

Deno.test("S-25 S08 a stalled history is probed at once, and frames of live events are no answer", async () => {
  const play = await stage();
  play.link.openLive([TAGGED]);
  await play.pass(100);
  play.peer.rules.intercept = () => true;
  void play.history([TAGGED], { allowNegentropy: false });
  for (let second = 0; second < 49 && play.ends.length === 0; second++) {
    play.peer.publish(unsigned({ tags: [["a", TAGGED.tags.get("a")![0]!]], created_at: NOW + second }));
    await play.pass(1_000);
  }
  await play.pass(3_000);
  assert.deepEqual(reasons(play), ["silent"]);
});

Deno.test("S-99 close sends CLOSEs, closes the socket, and finishes the event being processed", async () => {
  let release = () => {};
  const held = new Promise<undefined>((resolve) => release = () => resolve(undefined));
  const play = await stage({ admit: () => held });
  play.link.openLive([TAGGED, ANNOUNCEMENTS]);
  await play.pass(10);
  play.peer.publish(comments(1)[0]!);
  await play.pass(20);
  assert.equal(play.link.queueDepth, 1);
  play.link.close();
  play.link.close();
  await play.pass(50);
  assert.equal(play.peer.isOpen, false);
  assert.equal(play.peer.sent("CLOSE").length, 2);
  assert.deepEqual(play.ends, []);
  release();
  await play.pass(10);
  assert.deepEqual(play.ends.map(({ reason }) => reason), ["closed"]);
});

Deno.test("aborting the signal of a link closes it", async () => {
  const play = await stage();
  play.abort.abort();
  await play.pass(10);
  assert.deepEqual(play.ends.map(({ reason }) => reason), ["closed"]);
  assert.equal(play.peer.isOpen, false);
});
