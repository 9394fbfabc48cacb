import assert from "node:assert/strict";
import { TurnShare } from "../../lib/store/turn_share.ts";
import { nextTurn } from "../../lib/store/turn.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

Deno.test("reads asked for at once begin in order, each turn as many as its share has room for", async () => {
  const clock = new VirtualClock();
  let elapsed = 0;
  const share = new TurnShare(Object.assign(clock, { monotonic: () => elapsed }));
  let turn = 0;
  const begun: [name: number, turn: number][] = [];
  const read = (name: number, ms: number) =>
    share.take(() => {
      begun.push([name, turn]);
      elapsed += ms;
      return Promise.resolve(name);
    });
  const counting = (async () => {
    for (; begun.length < 6; turn++) await nextTurn();
  })();
  const asked = [read(0, 4), read(1, 4), read(2, 4), read(3, 30), read(4, 0), read(5, 10)];
  await counting;
  assert.deepEqual(begun, [[0, 0], [1, 0], [2, 0], [3, 1], [4, 2], [5, 2]]);
  assert.deepEqual(await Promise.all(asked), [0, 1, 2, 3, 4, 5]);
  await assert.rejects(share.take(() => Promise.reject(new Error("damaged"))), /damaged/);
});
