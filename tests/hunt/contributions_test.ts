import assert from "node:assert/strict";
import { newSigner } from "../support/keys.ts";
import { eventually } from "../support/temp.ts";
import { git } from "../support/git_client.ts";
import { contributing, host, placeOf, propose, refOf } from "../purgatory/contribution_support.ts";
import { hunting } from "./hunt_support.ts";

for (const contributions of [true, false]) {
  const what = contributions ? "is looked into" : "stays untouched while /prs/ is off";
  Deno.test(`P-77 X-36 the signer's repository below /prs/ is never asked over the network and ${what}`, () =>
    contributing((world, { signer, work, base, commit }) =>
      hunting(world, async ({ remote, pass }) => {
        const [owner, thief] = [newSigner(), newSigner()];
        const target = await host(world, owner, { work, base });
        const place = placeOf(signer);
        const clone = [
          `https://git.example.com/prs/${signer.npub}/repo.git`,
          `https://git.example.com/prs/${thief.npub}/repo.git`,
        ];
        const pr = propose(signer, commit, { owners: [owner], clone });
        assert.match((await world.sync(pr)).message, /^purgatory:/);
        // As after a restore from a backup: the data is there, and nobody was told.
        await world.repositories.ensure(place);
        await git(work, "push", "-q", world.repositories.path(place), `${commit}:refs/nostr/${pr.id}`);
        await pass(1_000);
        await pass(60_000);
        if (contributions) await eventually("served", () => world.isServed(pr.id));
        assert.equal(await world.isServed(pr.id), contributions);
        assert.equal(await refOf(world, target, pr.id), contributions ? commit : undefined);
        assert.deepEqual(remote.asked, []);
      }, { contributions, isOwn: (url) => new URL(url).host === "git.example.com" })
    ));
}
