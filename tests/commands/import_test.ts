import assert from "node:assert/strict";
import { newSigner } from "../support/keys.ts";
import { ServerProcess } from "../support/server_process.ts";
import { RelayClient } from "../support/relay_client.ts";
import { announced, declareAll, hosted, publish, type Scene, scene } from "../scenarios/support.ts";
import { copyTree, runProgram } from "./support.ts";

/** Two hosted repositories with an issue and a comment on it, and one that waits. */
async function fillServer(stage: Scene) {
  const [first, second] = [await hosted(stage, "first"), await hosted(stage, "second")];
  const waiting = await announced(stage, "waiting");
  await declareAll(stage.relay, waiting, "purgatory:");
  const user = newSigner();
  const address = `30617:${first.owner.pubkey}:first`;
  const issue = user.sign({ kind: 1621, tags: [["a", address]], content: "it\nbreaks" });
  await publish(stage.relay, issue, "");
  // Older than what it answers: it comes first in the order of the import.
  const comment = user.sign({
    kind: 1111,
    tags: [["E", issue.id], ["e", issue.id]],
    content: "indeed",
    created_at: issue.created_at - 1000,
  });
  await publish(stage.relay, comment, "");
  return { first, second, waiting, issue, comment };
}

async function servedIds(url: string): Promise<string[]> {
  const relay = await RelayClient.connect(url);
  const ids = (await relay.query({})).map(({ id }) => id).sort();
  await relay.close();
  return ids;
}

Deno.test("M-37 export, then import beside the same repositories: everything is served again, a second run stores nothing", () =>
  scene(async (stage) => {
    const { directory, server } = stage;
    await fillServer(stage);
    const before = await servedIds(server.wsUrl);
    assert.equal(before.length, 6);
    const dump = `${directory}/events.jsonl`;
    const exported = await runProgram(["export", "--to", dump], { dataPath: `${directory}/data` });
    assert.equal(exported.code, 0, exported.stderr);
    const lines = (await Deno.readTextFile(dump)).trimEnd().split("\n");
    assert.deepEqual(lines.map((line) => JSON.parse(line).id).sort(), before);

    const dataPath = `${directory}/moved`;
    await Deno.mkdir(dataPath);
    await copyTree(`${directory}/data/git`, `${dataPath}/git`);
    const damaged = { ...newSigner().sign({ kind: 1621, content: "forged" }), sig: "0".repeat(128) };
    const mixed = ["not json", ...lines.toReversed(), JSON.stringify(damaged), "{}", ""].join("\n");
    await Deno.writeTextFile(`${directory}/mixed.jsonl`, mixed);
    const env = { NGIT_DOMAIN: server.domain, NGIT_SYNC_ENABLE: "false" };
    const run = (...args: string[]) =>
      runProgram(["import", "--from", `${directory}/mixed.jsonl`, "--format", "json", ...args], {
        dataPath,
        env,
      });

    const rehearsal = JSON.parse((await run("--dry-run")).stdout);
    await assert.rejects(Deno.stat(`${dataPath}/relay`), "a dry run made something");
    const first = await run();
    assert.equal(first.code, 0, first.stderr);
    const report = JSON.parse(first.stdout);
    assert.deepEqual({ ...report, dryRun: true }, rehearsal);
    assert.equal(report.stored, 6);
    assert.deepEqual(report.refused, { signature: 1 });
    assert.deepEqual(report.source.shown, [
      { line: 1, problem: "not JSON" },
      { line: lines.length + 3, problem: "an event without id or sig" },
    ]);
    assert.equal(report.repositoriesWithoutAnnouncement.length, 1);
    const again = JSON.parse((await run()).stdout);
    assert.deepEqual([again.stored, again.skipped, again.refused], [0, 6, { signature: 1 }]);
    const moved = await ServerProcess.start({ dataPath, env });
    try {
      assert.deepEqual(await servedIds(moved.wsUrl), before);
    } finally {
      await moved.stop();
    }
  }));

Deno.test("M-37 import straight from a running relay brings the same events; a second run finds nothing missing", () =>
  scene(async (stage) => {
    const { directory, server } = stage;
    await fillServer(stage);
    const before = await servedIds(server.wsUrl);
    const dataPath = `${directory}/moved`;
    await Deno.mkdir(dataPath);
    await copyTree(`${directory}/data/git`, `${dataPath}/git`);
    const env = { NGIT_DOMAIN: server.domain, NGIT_SYNC_ENABLE: "false", NGIT_TEST: "1" };
    const run = (...more: string[]) =>
      runProgram(["import", "--from", `ws://127.0.0.1:${server.port}`, "--format", "json", ...more], {
        dataPath,
        env,
      });
    const bounded = await run("--max-events", "1");
    assert.equal(bounded.code, 1);
    assert.match(bounded.stderr, /the source sends more than 1 events/);
    const first = await run();
    assert.equal(first.code, 0, first.stderr + first.stdout);
    assert.equal(JSON.parse(first.stdout).stored, before.length);
    const again = JSON.parse((await run()).stdout);
    assert.deepEqual([again.stored, again.refused, again.source.incomplete], [0, {}, undefined]);
  }));
