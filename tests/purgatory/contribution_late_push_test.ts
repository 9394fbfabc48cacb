import { ok, strictEqual } from "node:assert/strict";
import { newSigner } from "../support/keys.ts";
import { git } from "../support/git_client.ts";
import { contributing, host, offer, placeOf, propose, refOf } from "./contribution_support.ts";

Deno.test("X-19 a push that began before the event and ends after it takes nothing from the served one", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const pr = propose(signer, commit);
    strictEqual(await offer(world, work, placeOf(signer), pr.id, commit), "");
    await offer(world, work, placeOf(signer), pr.id, base, async () => {
      // Git moves the ref last: the event was served before it.
      await git(
        work,
        "push",
        "-q",
        "--force",
        world.repositories.path(placeOf(signer)),
        `${commit}:refs/nostr/${pr.id}`,
      );
      strictEqual((await world.submit(pr)).message, "");
      await git(
        work,
        "push",
        "-q",
        "--force",
        world.repositories.path(placeOf(signer)),
        `${base}:refs/nostr/${pr.id}`,
      );
    });
    strictEqual(await refOf(world, placeOf(signer), pr.id), commit);
  }));

Deno.test("a late push to a hosted repository takes no ref from a served pull request either", () =>
  contributing(async (world, { signer, work, base, commit }) => {
    const owner = newSigner();
    const repository = await host(world, owner, { work, base });
    const pr = propose(signer, commit, { owners: [owner] });
    const commands = [{ ref: `refs/nostr/${pr.id}`, oldOid: "0".repeat(40), newOid: base }];
    const done = world.repositories.use(repository);
    const decision = await world.gate.authorise(repository, commands);
    ok(decision.ok);
    await offer(world, work, placeOf(signer), pr.id, commit);
    strictEqual((await world.submit(pr)).message, "");
    strictEqual(await refOf(world, repository, pr.id), commit);
    await git(work, "push", "-q", "-f", world.repositories.path(repository), `${base}:refs/nostr/${pr.id}`);
    await world.gate.settle(decision.grant, commands);
    done();
    strictEqual(await refOf(world, repository, pr.id), commit);
  }));
