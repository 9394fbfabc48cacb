import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { newSigner } from "../support/keys.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ScriptedRelay } from "../support/scripted_relay.ts";
import { WsProxy } from "../support/ws_proxy.ts";

async function stage(play: (proxy: WsProxy, client: RelayClient, relay: ScriptedRelay) => Promise<void>) {
  const relay = new ScriptedRelay();
  const proxy = new WsProxy(relay.url);
  const client = await RelayClient.connect(proxy.url);
  try {
    await play(proxy, client, relay);
  } finally {
    await client.close();
    await proxy.close();
    await relay.close();
  }
}

Deno.test("the WebSocket proxy logs, drops, duplicates, delays, reorders and replaces messages", () =>
  stage(async (proxy, client, relay) => {
    const author = newSigner();
    const notes = ["drop", "twice", "hold", "late", "swap"].map((content, index) =>
      author.sign({ kind: 1, content, created_at: 1_700_000_000 - index })
    );
    relay.peer.hold(...notes);
    proxy.rules.push(({ from, message }) => {
      if (from !== "peer" || message[0] !== "EVENT") return undefined;
      switch ((message[2] as { content: string }).content) {
        case "drop":
          return "drop";
        case "twice":
          return "twice";
        case "hold":
          return "hold";
        case "late":
          return { delayMs: 20 };
        default:
          return ['["NOTICE","instead"]'];
      }
    });
    client.send(["REQ", "all", { kinds: [1] }]);
    await client.waitFor(([type]) => type === "EOSE");
    deepStrictEqual(
      client.messages.map(([type, , event]) =>
        type === "EVENT" ? (event as { content: string }).content : type
      ),
      ["twice", "twice", "late", "hold", "NOTICE", "EOSE"],
    );
    deepStrictEqual(proxy.log.asked().map(({ id, filter }) => [id, filter]), [["all", { kinds: [1] }]]);
    strictEqual(proxy.log.of("peer", "EVENT").length, 5);
    strictEqual(proxy.log.mostOpen(), 1);
  }));

Deno.test("the WebSocket proxy passes the NIP-11 document and cuts both sides", () =>
  stage(async (proxy, client, relay) => {
    relay.peer.quirks = { information: { name: "odd" } };
    const document = await (await fetch(proxy.url.replace("ws", "http"))).json();
    deepStrictEqual(document, { name: "odd" });
    proxy.cut();
    await client.waitForClose();
    await relay.log.waitFor("the relay's side is closed", () => relay.log.open.size === 0);
  }));
