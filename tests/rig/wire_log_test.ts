import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { WireLog } from "../support/wire_log.ts";

Deno.test("the wire log tells live, historic, negotiated and id requests apart and counts what is open", async () => {
  const log = new WireLog();
  const connection = log.opened();
  const us = (message: unknown) => log.record(connection, "us", JSON.stringify(message), 1);
  const peer = (message: unknown) => log.record(connection, "peer", JSON.stringify(message), 2);
  us(["REQ", "live-1", { kinds: [1], limit: 0 }, { kinds: [2], limit: 0 }]);
  us(["REQ", "h-2", { kinds: [1], limit: 500 }]);
  us(["NEG-OPEN", "neg-3", { kinds: [1], since: 5 }, "61"]);
  peer(["EVENT", "h-2", { id: "e1" }]);
  peer(["CLOSED", "h-2", "error: no"]);
  us(["NEG-CLOSE", "neg-3"]);
  us(["REQ", "ids-4", { ids: ["e2"] }]);
  us(["REQ", "ka-5", { kinds: [30617], limit: 1 }]);
  log.record(connection, "peer", "not json", 3);
  deepStrictEqual(log.live().map(({ filter }) => filter.kinds), [[1], [2]]);
  deepStrictEqual(log.historic().map(({ via, filter }) => [via, filter.since]), [
    ["REQ", undefined],
    ["NEG-OPEN", 5],
  ]);
  deepStrictEqual(log.requestedIds(), ["e2"]);
  deepStrictEqual(log.deliveredIds(), ["e1"]);
  strictEqual(log.mostOpen(), 3);
  strictEqual(log.of("us", "REQ", 3).length, 2);
  log.closed(connection);
  deepStrictEqual([log.open.size, log.connections], [0, 1]);
  const waiting = log.waitFor("an EOSE", () => log.of("peer", "EOSE").length > 0);
  peer(["EOSE", "ids-4"]);
  await waiting;
  await rejects(log.waitFor("never", () => false, 10), /not on the wire: never/);
});
