import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { declare, newSigner } from "../support/keys.ts";
import { commitFile, git, packOf, refsOf, tryGit } from "../support/git_client.ts";
import { eventually } from "../support/temp.ts";
import {
  announced,
  declareAll,
  isServed,
  processesMentioning,
  publish,
  pushAll,
  remoteRefs,
  scene,
} from "./support.ts";

const MIB = 1 << 20;

/** Incompressible bytes, so that the pack is as large as the file. */
function noise(bytes: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536) {
    crypto.getRandomValues(data.subarray(at, Math.min(at + 65_536, bytes)));
  }
  return data;
}

Deno.test("G-18 M-35 a 300 MB push streams: the server's memory grows by less than 64 MiB", () =>
  scene(async (stage) => {
    const { server, relay, directory } = stage;
    const repository = await announced(stage, "large");
    const { work, url } = repository;
    await git(work, "config", "core.compression", "0");
    for (let part = 0; part < 6; part++) await commitFile(work, `part-${part}.bin`, noise(50_000_000));
    const stateId = await declareAll(relay, repository, "purgatory:");
    // A push and a clone first, so that lazily loaded code does not count as growth.
    await tryGit(directory, "ls-remote", url);
    let peak = 0;
    const before = await server.residentBytes();
    let running = true;
    const watch = (async () => {
      while (running) {
        peak = Math.max(peak, await server.residentBytes());
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    await pushAll(repository);
    running = false;
    await watch;
    ok(await isServed(relay, stateId));
    const growth = (peak - before) / MIB;
    ok(growth < 64, `memory grew by ${growth.toFixed(1)} MiB`);
  }));

Deno.test("G-61 G-60 a client that disconnects in mid-push leaves no process, no lock and a clean repository", () =>
  scene(async (stage) => {
    const { directory, server, relay } = stage;
    const repository = await announced(stage, "cut");
    const { work, url, owner } = repository;
    await git(work, "config", "core.compression", "0");
    await commitFile(work, "big.bin", noise(40_000_000));
    const state = declare(owner, "cut", await refsOf(work), { head: "refs/heads/main" });
    await publish(relay, state, "purgatory:");

    const target = (await refsOf(work))["refs/heads/main"]!;
    const command = `${"0".repeat(40)} ${target} refs/heads/main\0 report-status side-band-64k\n`;
    const line = (command.length + 4).toString(16).padStart(4, "0") + command;
    const pack = await packOf(work, target);
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const path = new URL(url).pathname;
    const head = `POST ${path}/git-receive-pack HTTP/1.1\r\nHost: x\r\n` +
      "Content-Type: application/x-git-receive-pack-request\r\n" +
      `Content-Length: ${line.length + 4 + pack.length}\r\n\r\n`;
    await writeAll(connection, new TextEncoder().encode(`${head}${line}0000`));
    await writeAll(connection, pack.subarray(0, pack.length / 2));
    const repositoryPath = `${directory}/data/git/${owner.npub}/cut.git`;
    await eventually("receive-pack runs", async () => (await processesMentioning(directory)).length > 0);
    connection.close();

    await eventually(
      "no git process is left",
      async () => (await processesMentioning(directory)).length === 0,
    );
    await eventually("the quarantine is gone", async () => {
      const names: string[] = [];
      for await (const entry of Deno.readDir(`${repositoryPath}/objects`)) names.push(entry.name);
      return !names.some((name) => name.startsWith("tmp_objdir"));
    });
    strictEqual((await tryGit(repositoryPath, "fsck", "--full")).code, 0);
    deepStrictEqual(await remoteRefs(directory, url), {});
    ok(!await isServed(relay, state.id));
    await pushAll(repository);
    ok(await isServed(relay, state.id));
  }));

Deno.test("G-62 concurrent identical pushes: refs correct, event stored once, no server error", () =>
  scene(async (stage) => {
    const { relay, directory, server } = stage;
    const repository = await announced(stage, "race", newSigner());
    const stateId = await declareAll(relay, repository, "purgatory:");
    const live = await relay.subscribe({ ids: [stateId] });
    const results = await Promise.all(
      Array.from({ length: 8 }, () => tryGit(repository.work, "push", repository.url, "main")),
    );
    ok(results.some(({ code }) => code === 0));
    for (const { code, stderr } of results) {
      ok(code === 0 || /failed to update ref|cannot lock ref|already exists/.test(stderr), stderr);
    }
    deepStrictEqual(
      (await remoteRefs(directory, repository.url))["refs/heads/main"],
      (await refsOf(repository.work))["refs/heads/main"],
    );
    await relay.query({ ids: [stateId] });
    strictEqual(relay.received(live).length, 1);
    ok(!/"level":"error"/.test(server.log), server.log);
  }));

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
