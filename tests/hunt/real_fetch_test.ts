import assert from "node:assert/strict";
import { createRemoteGit } from "../../lib/hunt/mod.ts";
import { createGit } from "../../lib/git/mod.ts";
import { createNetwork } from "../../lib/outgoing/mod.ts";
import { systemClock, systemRandom } from "../../lib/world/mod.ts";
import { engine } from "../support/engine.ts";
import { refsOf, tryGit } from "../support/git_client.ts";
import { type GitPeerOptions, startGitPeer } from "../support/git_peer.ts";
import { declare, newSigner } from "../support/keys.ts";
import { silentLog } from "../support/silent_log.ts";
import { announced, hunting, T, tree } from "./hunt_support.ts";

Deno.test("P-70 P-71 P-72 P-83 over HTTP: two servers, one without fetching by id, complete a state", () =>
  engine(async (world) => {
    const peers: ReturnType<typeof startGitPeer>[] = [];
    const peer = (options: GitPeerOptions) => {
      const started = startGitPeer(world.directory, options);
      peers.push(started);
      return started;
    };
    const git = await createGit({
      binary: "git",
      homePath: `${world.directory}/home`,
      clock: systemClock,
      limits: { maxPushBytes: 0 },
    });
    const network = createNetwork({
      allowPrivate: true,
      ownAddresses: [],
      clock: systemClock,
      userAgent: "ngit-grasp/test",
      log: silentLog,
    });
    try {
      await hunting(world, async ({ remote, pass, seen }) => {
        const real = createRemoteGit({
          git,
          repositories: world.repositories,
          network,
          clock: systemClock,
          random: systemRandom,
          log: silentLog,
          settings: { isOwn: () => false, hasSpace: () => Promise.resolve(true) },
          maxBytes: 0,
          userAgent: "ngit-grasp/test",
        });
        const owner = newSigner();
        const [x, y] = [await tree(world, "x", ["1", "2"]), await tree(world, "y", ["3", "4"])];
        const old = { protocol0: true, settings: ["uploadpack.allowAnySHA1InWant=false"] };
        const urls = [peer(old).url("x/.git"), peer({}).url("y/.git")];
        for (const url of urls) remote.answers.set(url, (request) => real.fetch(request));
        const refs = {
          "refs/heads/main": x.refs["refs/heads/main"]!,
          "refs/heads/dev": y.refs["refs/heads/main"]!,
        };
        const state = declare(owner, "repo", refs, { head: "refs/heads/main", created_at: T });
        await world.sync(announced(owner, urls));
        await world.sync(state);
        await pass(500);
        assert.ok(await world.isServed(state.id), seen.join(", "));
        const path = world.repositories.path({ owner: owner.pubkey, identifier: "repo" });
        assert.deepEqual(await refsOf(path), refs);
        assert.equal((await tryGit(path, "fsck", "--full", "--strict")).code, 0);
        assert.equal(await Deno.stat(`${path}/shallow`).catch(() => undefined), undefined);
      });
    } finally {
      await Promise.all(peers.map((started) => started.close()));
    }
  }));
