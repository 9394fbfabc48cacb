import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { runProgram } from "../commands/support.ts";
import { commitFile } from "../support/git_client.ts";
import { announce, newSigner } from "../support/keys.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { eventually } from "../support/temp.ts";
import { declareAll, hosted, publish, pushAll, remoteRefs, scene } from "../scenarios/support.ts";

Deno.test("M-40 a shadow instance acquires all public repositories of a relay, and compare finds all in category 1", () =>
  scene(async (stage) => {
    const maintainer = newSigner();
    const repositories = [
      await hosted(stage, "plain"),
      await hosted(stage, "with space"),
      await hosted(stage, "plain"), // another owner, the same identifier
    ];
    const [first] = repositories;
    await commitFile(first!.work, "by-maintainer", "hello\n");
    const shared = announce(first!.owner, "plain", {
      domain: stage.server.domain,
      maintainers: [maintainer.pubkey],
      created_at: Math.floor(Date.now() / 1000) + 2,
    });
    await publish(stage.relay, shared, "");
    await declareAll(stage.relay, { ...first!, owner: maintainer }, "purgatory:");
    await pushAll(first!);
    const dataPath = `${stage.directory}/shadow`;
    const env = {
      NGIT_ARCHIVE_GRASP_SERVICES: stage.server.domain,
      NGIT_SYNC_BOOTSTRAP_RELAY_URL: `ws://${stage.server.domain}`,
      NGIT_TEST: "1",
    };
    const shadow = await ServerProcess.start({ dataPath, env });
    const compare = (url: string, ...args: string[]) =>
      runProgram(["maintain", "compare", "--with", url, ...args], {
        dataPath,
        env: { ...env, NGIT_DOMAIN: shadow.domain },
      });
    try {
      const mirror = await RelayClient.connect(shadow.wsUrl);
      await eventually("the shadow serves every announcement and state", async () => {
        const events = await mirror.query({ kinds: [30617, 30618] });
        return events.length === 7;
      }, 45_000);
      await mirror.close();
      const report = JSON.parse((await compare(stage.server.wsUrl, "--format", "json")).stdout);
      strictEqual(report.repositories.length, 3);
      for (const repository of report.repositories) {
        deepStrictEqual([repository.here.category, repository.there.category], ["1", "1"]);
      }
      deepStrictEqual([report.states.onlyHere, report.states.onlyThere, report.states.here], [0, 0, 4]);
      for (const { owner, identifier, url } of repositories) {
        deepStrictEqual(
          await remoteRefs(stage.directory, shadow.cloneUrl(owner.npub, identifier)),
          await remoteRefs(stage.directory, url),
        );
      }
    } catch (error) {
      console.error(shadow.log.slice(-3_000));
      throw error;
    } finally {
      await shadow.stop();
    }

    // What reaches the old server afterwards shows up as missing here; the shadow need not run.
    const [, second] = repositories;
    await commitFile(second!.work, "later", "later\n");
    await declareAll(stage.relay, second!, "purgatory:");
    await pushAll(second!);
    await hosted(stage, "late");
    const later = await compare(stage.server.httpUrl);
    strictEqual(later.code, 1, later.stderr);
    match(later.stdout, /^4 repositories, here and on ws:/);
    match(later.stdout, /^here 1 +2 +0 +0 +0$/m);
    match(later.stdout, /^! 2 {4}1 {3}0\/1 of 1 {2}npub1\w+\/late$/m);
    match(later.stdout, /^! 4 {4}1 {3}0\/1 of 1 {2}npub1\w+\/with space$/m);
    match(later.stdout, /^states: 4 here, 5 there; only here 1, only there 2$/m);
    match(later.stdout, /^2 repositories are behind/m);
    const nowhere = await compare("ws://127.0.0.1:1");
    strictEqual(nowhere.code, 1);
    match(nowhere.stderr, /^error: ws:\/\/127\.0\.0\.1:1.* could not be reached: /);

    // The switch: under the old server's name, without archive rules, it hosts what it had archived.
    const successor = await ServerProcess.start({
      dataPath,
      env: { NGIT_DOMAIN: stage.server.domain, NGIT_SYNC_ENABLE: "false" },
    });
    try {
      const client = await RelayClient.connect(successor.wsUrl);
      const [, , third] = repositories;
      await commitFile(third!.work, "after", "after\n");
      await declareAll(client, third!, "purgatory:");
      await pushAll({ ...third!, url: successor.cloneUrl(third!.owner.npub, third!.identifier) });
      await client.close();
    } finally {
      await successor.stop();
    }
  }));
