import { match, ok, strictEqual } from "node:assert/strict";
import { announce, declare, newSigner } from "../support/keys.ts";
import { DOMAIN, engine } from "../support/engine.ts";
import { newWorkTree, refsOf } from "../support/git_client.ts";
import { eventually } from "../support/temp.ts";

const away = { domain: "elsewhere.example" };

Deno.test("R-87 G-59 synced maintainer announcements refused before the owner's are served right after it", () =>
  engine(async (world) => {
    const [owner, ...maintainers] = Array.from({ length: 4 }, () => newSigner());
    const theirs = maintainers.map((signer, index) =>
      announce(signer, "x", {
        ...away,
        maintainers: maintainers.slice(index + 1, index + 2).map(({ pubkey }) => pubkey),
      })
    );
    for (const event of [...theirs].reverse()) match((await world.sync(event)).message, /must list service/);
    const mine = announce(owner!, "x", { domain: DOMAIN, maintainers: [maintainers[0]!.pubkey] });
    match((await world.sync(mine)).message, /^purgatory:/);
    const work = await newWorkTree(`${world.directory}/work`);
    await world.submit(declare(owner!, "x", await refsOf(work)));
    strictEqual(await world.push(work, owner!.pubkey, "x", ["refs/heads/main"]), "");
    for (const event of [mine, ...theirs]) {
      await eventually("all four are served", () => world.isServed(event.id));
    }
  }));

Deno.test("R-88 P-44 a synced state refused before its announcement ends up in purgatory without redelivery", () =>
  engine(async (world) => {
    const owner = newSigner();
    const state = declare(owner, "x", { "refs/heads/main": "1".repeat(40) });
    match((await world.sync(state)).message, /no announcement exists/);
    await world.sync(announce(owner, "x", { domain: DOMAIN }));
    await eventually("the state waits", async () => (await world.store.waitingKind(state.id)) === "state");
  }));

Deno.test("a refused synced event is forgotten after two minutes, and a client's is never kept", () =>
  engine(async (world) => {
    const owner = newSigner();
    const early = declare(owner, "x", { "refs/heads/main": "1".repeat(40) });
    await world.sync(early);
    await world.submit(declare(owner, "x", { "refs/heads/main": "2".repeat(40) }));
    world.clock.jump(120_001);
    await world.submit(announce(owner, "x", { domain: DOMAIN }));
    await world.submit(declare(owner, "x", { "refs/heads/main": "3".repeat(40) }));
    const { waitingStates } = await world.store.readIdentifier("x");
    strictEqual(waitingStates.length, 1);
    ok(!waitingStates.some(({ event }) => event.id === early.id));
  }));
