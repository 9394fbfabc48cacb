import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { declare } from "../support/keys.ts";
import { refsOf, tryGit } from "../support/git_client.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { eventually, withTempDirectory } from "../support/temp.ts";
import {
  announced,
  declareAll,
  hosted,
  isServed,
  killAndRestart,
  publish,
  pushAll,
  remoteRefs,
  type Scene,
} from "./support.ts";

/** A scene whose server may be replaced by a restarted one. */
async function crashScene(
  play: (stage: Scene, restart: () => Promise<Scene>) => Promise<void>,
): Promise<void> {
  await withTempDirectory(async (directory) => {
    let server = await ServerProcess.start({ dataPath: `${directory}/data` });
    const relays: RelayClient[] = [await RelayClient.connect(server.wsUrl)];
    const stage = (): Scene => ({ directory, server, relay: relays.at(-1)! });
    try {
      await play(stage(), async () => {
        server = await killAndRestart({ server, directory });
        relays.push(await RelayClient.connect(server.wsUrl));
        return stage();
      });
    } catch (error) {
      console.error(server.log.slice(-4_000));
      throw error;
    } finally {
      for (const relay of relays) await relay.close();
      await server.stop();
    }
  });
}

Deno.test("P-85 R-57 kill -9 between state and push: purgatory is still there and the push is accepted", () =>
  crashScene(async (stage, restart) => {
    const repository = await announced(stage, "crash");
    const stateId = await declareAll(stage.relay, repository, "purgatory:");
    const { relay } = await restart();
    ok(!await isServed(relay, stateId));
    await pushAll(repository);
    ok(await isServed(relay, stateId));
    strictEqual((await relay.query({ kinds: [30617] })).length, 1);
  }));

Deno.test("M-24 kill -9 right after the push: everything acknowledged is served after the restart", () =>
  crashScene(async (stage, restart) => {
    const repository = await announced(stage, "crash");
    const stateId = await declareAll(stage.relay, repository, "purgatory:");
    await pushAll(repository);
    const { relay, directory } = await restart();
    ok(await isServed(relay, stateId));
    deepStrictEqual(
      (await remoteRefs(directory, repository.url))["refs/heads/main"],
      (await refsOf(repository.work))["refs/heads/main"],
    );
    const path = `${directory}/data/git/${repository.owner.npub}/crash.git`;
    strictEqual((await tryGit(path, "fsck", "--full")).code, 0);
  }));

Deno.test("P-62 refs moved but events not released before the kill: the restart releases them", () =>
  crashScene(async (stage, restart) => {
    const repository = await announced(stage, "half");
    const state = declare(repository.owner, "half", await refsOf(repository.work), {
      head: "refs/heads/main",
    });
    await publish(stage.relay, state, "purgatory:");
    // What a crash between git and database leaves: the refs are there, the rows still wait.
    await stage.server.kill();
    const path = `${stage.directory}/data/git/${repository.owner.npub}/half.git`;
    strictEqual((await tryGit(repository.work, "push", "-q", path, "main")).code, 0);
    const { relay } = await restart();
    ok(await isServed(relay, state.id));
    strictEqual((await relay.query({ kinds: [30617] })).length, 1);
  }));

Deno.test("P-89 the directory of a waiting announcement is recreated at start", () =>
  crashScene(async (stage, restart) => {
    const repository = await announced(stage, "lost");
    await stage.server.kill();
    await Deno.remove(`${stage.directory}/data/git/${repository.owner.npub}`, { recursive: true });
    const { relay } = await restart();
    await declareAll(relay, repository, "purgatory:");
    await pushAll(repository);
  }));

Deno.test("C-26 a second server on the same data is refused, names the first one's pid, and changes nothing", () =>
  crashScene(async (stage) => {
    const repository = await hosted(stage, "mine");
    let message = "";
    await ServerProcess.start({
      dataPath: `${stage.directory}/data`,
      port: 0,
      env: { NGIT_RELAY_DATA_PATH: `${stage.directory}/other` },
    })
      .then((second) => second.stop(), (error) => message = String(error));
    ok(/is in use by pid \d+/.test(message), message);
    ok(message.includes(String(stage.server.pid)), message);
    await eventually("the first server still answers", async () => {
      const response = await fetch(`${repository.url}/info/refs?service=git-upload-pack`);
      await response.body?.cancel();
      return response.ok;
    });
  }));

Deno.test("C-24 a port in use: exit 1, the address is named, no key is made and nothing in the data directories changes", () =>
  crashScene(async (stage) => {
    const dataPath = `${stage.directory}/other`;
    await Deno.mkdir(`${dataPath}/git`, { recursive: true });
    await Deno.writeTextFile(`${dataPath}/git/purgatory-state.json`, "{}");
    let message = "";
    await ServerProcess.start({ dataPath, port: stage.server.port })
      .then((second) => second.stop(), (error) => message = String(error));
    ok(message.includes(`cannot listen on 127.0.0.1:${stage.server.port}: address in use`), message);
    strictEqual(await Deno.readTextFile(`${dataPath}/git/purgatory-state.json`), "{}");
    const present = await Array.fromAsync(Deno.readDir(dataPath), ({ name }) => name);
    const inGit = await Array.fromAsync(Deno.readDir(`${dataPath}/git`), ({ name }) => name);
    deepStrictEqual([present, inGit], [["git"], ["purgatory-state.json"]]);
  }));
