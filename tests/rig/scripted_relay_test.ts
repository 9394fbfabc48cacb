import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { newSigner } from "../support/keys.ts";
import { RelayClient, type RelayMessage } from "../support/relay_client.ts";
import { ScriptedRelay } from "../support/scripted_relay.ts";
import {
  closed,
  endless,
  hangUp,
  historicReq,
  idsReq,
  ignore,
  inserting,
  noEose,
  notice,
} from "../support/scripted_rules.ts";

const author = newSigner();

function notes(count: number, from = 1_700_000_000): NostrEvent[] {
  return Array.from(
    { length: count },
    (_, index) => author.sign({ kind: 1, content: `${index}`, created_at: from + index }),
  );
}

async function stage(play: (relay: ScriptedRelay, client: RelayClient) => Promise<void>): Promise<void> {
  const relay = new ScriptedRelay();
  const client = await RelayClient.connect(relay.url);
  try {
    await play(relay, client);
  } finally {
    await client.close();
    await relay.close();
  }
}

/** Sends and returns the types of everything that came up to the message `last` matches. */
async function typesUntil(
  client: RelayClient,
  message: RelayMessage,
  last: (message: RelayMessage) => boolean,
): Promise<unknown[]> {
  const from = client.messages.length;
  client.send(message);
  const end = await client.waitFor(last, from);
  return client.messages.slice(from, client.messages.indexOf(end) + 1).map(([type]) => type);
}

const isEnd = ([type]: RelayMessage) => type === "EOSE" || type === "CLOSED";

Deno.test("a scripted relay without quirks accepts, serves, replaces and tells subscribers", () =>
  stage(async (relay, client) => {
    const live = await client.subscribe({ kinds: [0], limit: 0 });
    const [old, fresh] = [1, 2].map((at) => author.sign({ kind: 0, created_at: 1_700_000_000 + at }));
    ok((await client.publish(old!)).accepted);
    ok((await client.publish(fresh!)).accepted);
    deepStrictEqual(client.received(live).map(({ id }) => id), [old!.id, fresh!.id]);
    deepStrictEqual((await client.query({ kinds: [0] })).map(({ id }) => id), [fresh!.id]);
    relay.peer.hold(...notes(3));
    strictEqual((await client.query({ kinds: [1], limit: 2 })).length, 2);
  }));

Deno.test("a scripted relay leaves out, delays or repeats EOSE, and caps results and ids", () =>
  stage(async (relay, client) => {
    const all = notes(5);
    relay.peer.hold(...all);
    relay.peer.quirks = { eose: "twice", cap: 2 };
    client.send(["REQ", "a", { kinds: [1] }]);
    await client.waitFor(() => client.messages.filter(([type]) => type === "EOSE").length === 2);
    strictEqual(client.received("a").length, 2);
    relay.peer.quirks = { eose: 10, idsCap: 3 };
    strictEqual((await client.query({ ids: all.map(({ id }) => id) })).length, 3);
    relay.peer.quirks = { eose: "never" };
    client.send(["REQ", "b", { kinds: [1] }]);
    await client.waitFor(() => client.received("b").length === 5);
    relay.peer.quirks = {};
    await client.query({ limit: 0 });
    ok(!client.messages.some(([type, id]) => type === "EOSE" && id === "b"));
  }));

Deno.test("a scripted relay treats limit 0, subscription counts and unserved ids as told", () =>
  stage(async (relay, client) => {
    const all = notes(2);
    relay.peer.hold(...all);
    relay.peer.quirks = { storedForLimitZero: true };
    strictEqual((await client.query({ kinds: [1], limit: 0 })).length, 2);
    relay.peer.quirks = { refusesLimitZero: true };
    deepStrictEqual(await typesUntil(client, ["REQ", "z", { limit: 0 }], isEnd), ["CLOSED"]);
    relay.peer.quirks = { maxSubscriptions: 1 };
    deepStrictEqual(await typesUntil(client, ["REQ", "1", { kinds: [7] }], isEnd), ["EOSE"]);
    deepStrictEqual(await typesUntil(client, ["REQ", "2", { kinds: [7] }], isEnd), ["CLOSED"]);
    relay.peer.quirks = { unserved: new Set([all[0]!.id]) };
    deepStrictEqual(await client.query({ ids: all.map(({ id }) => id) }), [all[1]]);
    strictEqual((await client.query({ kinds: [1] })).length, 2);
  }));

Deno.test("a scripted relay demands AUTH and accepts or refuses it", () =>
  stage(async (relay, client) => {
    for (const auth of ["refuse", "accept"] as const) {
      relay.peer.quirks = { auth };
      const fresh = await RelayClient.connect(relay.url);
      const [, challenge] = await fresh.waitFor(([type]) => type === "AUTH");
      fresh.send(["REQ", "a", { kinds: [1] }]);
      match(String((await fresh.waitFor(isEnd))[2]), /^auth-required:/);
      const answer = author.sign({
        kind: 22_242,
        tags: [["relay", relay.url], ["challenge", String(challenge)]],
      });
      fresh.send(["AUTH", answer]);
      strictEqual((await fresh.waitFor(([type]) => type === "OK"))[2], auth === "accept");
      const [type] = await typesUntil(fresh, ["REQ", "b", { kinds: [1] }], ([type, id]) =>
        id === "b" && isEnd([type]));
      strictEqual(type, auth === "accept" ? "EOSE" : "CLOSED");
      await fresh.close();
    }
    strictEqual(relay.peer.authentications.length, 2);
    await client.query({ limit: 0 }).catch(() => {});
  }));

Deno.test("rules of a scripted relay act instead of it, as often as told", () =>
  stage(async (relay, client) => {
    relay.peer.hold(...notes(2));
    const { rules } = relay.peer;
    const req = (id: string): RelayMessage => ["REQ", id, { kinds: [1] }];
    rules.push(closed(historicReq(), "error: early", { times: 1 }));
    deepStrictEqual(await typesUntil(client, req("a"), isEnd), ["CLOSED"]);
    rules[0] = closed(historicReq(), "error: late", { times: 1, afterEvents: true });
    deepStrictEqual(await typesUntil(client, req("b"), isEnd), ["EVENT", "EVENT", "CLOSED"]);
    rules[0] = notice(historicReq(), "slow down", { times: 1 });
    deepStrictEqual(await typesUntil(client, req("c"), isEnd), ["NOTICE", "EVENT", "EVENT", "EOSE"]);
    rules[0] = inserting(historicReq(), (id) => [["EVENT", id, { odd: true }], ["WHAT", id]], 1);
    deepStrictEqual(await typesUntil(client, req("d"), isEnd), ["EVENT", "WHAT", "EVENT", "EVENT", "EOSE"]);
    rules[0] = noEose(historicReq(), 1);
    client.send(req("e"));
    deepStrictEqual(await typesUntil(client, req("f"), isEnd), ["EVENT", "EVENT", "EVENT", "EVENT", "EOSE"]);
    rules[0] = ignore(idsReq, 1);
    client.send(["REQ", "g", { ids: ["0".repeat(64)] }]);
    deepStrictEqual(await typesUntil(client, ["REQ", "h", { ids: [] }], isEnd), ["EOSE"]);
    rules[0] = endless(historicReq(), (serial) => notes(1, 1_700_000_100 + serial)[0]!, {
      perTick: 5,
      tickMs: 1,
    });
    client.send(req("i"));
    await client.waitFor(() => client.received("i").length >= 20);
    client.send(["CLOSE", "i"]);
    rules[0] = hangUp(historicReq());
    client.send(req("j"));
    await client.waitForClose();
  }));

Deno.test("a scripted relay negotiates honestly, or in every wrong way", () =>
  stage(async (relay, client) => {
    relay.peer.hold(...notes(3));
    const open = (id: string): RelayMessage => ["NEG-OPEN", id, { kinds: [1] }, "6100000200"];
    const answer = async (id: string): Promise<RelayMessage> => {
      const from = client.messages.length;
      client.send(open(id));
      return await client.waitFor(([type, sub]) => type === "NOTICE" || sub === id, from);
    };
    match(String((await answer("a"))[2]), /^61000002 ?03/);
    relay.peer.quirks = { maxNegotiated: 2 };
    deepStrictEqual((await answer("b")).slice(0, 1), ["NEG-ERR"]);
    relay.peer.quirks = { negentropy: "notice" };
    match(String((await answer("c"))[1]), /envelope/);
    relay.peer.quirks = { negentropy: "garbage" };
    match(String((await answer("d"))[2]), /[^0-9a-f]/);
    relay.peer.quirks = { negentropy: "endless" };
    match(String((await answer("e"))[2]), /^61000001[0-9a-f]{32}$/);
    relay.peer.quirks = { negentropy: { error: "closed: no" } };
    deepStrictEqual(await answer("f"), ["NEG-ERR", "f", "closed: no"]);
    relay.peer.quirks = { negentropy: "silent" };
    client.send(open("g"));
    await client.query({ limit: 0 });
    ok(!client.messages.some(([, id]) => id === "g"));
  }));

Deno.test("a scripted relay serves a NIP-11 document or none, hangs up, and answers upgrades with a page", async () => {
  const relay = new ScriptedRelay();
  const http = relay.url.replace("ws", "http");
  const missing = await fetch(http);
  await missing.body?.cancel();
  strictEqual(missing.status, 404);
  relay.peer.quirks = { information: { name: "x" }, dropAfter: 1 };
  deepStrictEqual(await (await fetch(http)).json(), { name: "x" });
  const client = await RelayClient.connect(relay.url);
  await client.query({ limit: 0 });
  await client.waitForClose();
  relay.peer.quirks = { noUpgrade: true };
  await RelayClient.connect(relay.url).then(() => ok(false), () => {});
  await relay.close();
});
