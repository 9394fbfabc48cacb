import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { encodeNpub } from "../../lib/nostr/mod.ts";
import { tryGit } from "../support/git_client.ts";
import { ScriptedRelay } from "../support/scripted_relay.ts";
import { withTempDirectory } from "../support/temp.ts";
import { RELAY, rustServer } from "./layouts.ts";
import { clonesAndPushes, inPlace, servesExactly, serving } from "./support.ts";

Deno.test("M-37 M-39 a Rust ngit-grasp moves in place: import twice, serve, push, and back", () =>
  withTempDirectory(async (directory) => {
    const old = await rustServer(directory);
    const lmdb = await Deno.readFile(`${old.relayPath}/data.mdb`);
    const relayPath = `${directory}/data/relay-new`;
    const own = ["--relay-data-path", "./data/relay-new"];

    const wrong = await inPlace(directory, "--check-config");
    match(wrong.stdout, /data\.mdb belongs to an LMDB database/);
    const check = await inPlace(directory, "--check-config", ...own);
    strictEqual(check.code, 0, check.stdout + check.stderr);
    match(check.stdout, /lmdb/);
    match(check.stdout, /purgatory-state\.json belongs to the Rust ngit-grasp and will be imported/);

    const relay = new ScriptedRelay();
    relay.peer.hold(...old.events);
    try {
      const rehearsal = await inPlace(directory, "import", "--from", relay.url, "--dry-run", ...own);
      strictEqual(rehearsal.code, 0, rehearsal.stderr);
      strictEqual(await Deno.stat(`${relayPath}/relay.db`).catch(() => "absent"), "absent");
      const first = await inPlace(directory, "import", "--from", relay.url, ...own, "--format", "json");
      strictEqual(first.code, 0, first.stderr);
      const second = await inPlace(directory, "import", "--from", relay.url, ...own, "--format", "json");
      strictEqual(second.code, 0, second.stderr);
      const [one, two] = [JSON.parse(first.stdout), JSON.parse(second.stdout)];
      deepStrictEqual([one.stored, one.refused.signature], [old.good.length, 1]);
      deepStrictEqual([two.stored, two.refused.signature], [0, 1]);
    } finally {
      await relay.close();
    }
    const whole = await inPlace(directory, "restore-check", ...own);
    strictEqual(whole.code, 0, whole.stdout + whole.stderr);

    let pushed = "";
    await serving(old, relayPath, async (server, client) => {
      const headers = { Accept: "application/nostr+json" };
      const document = await (await fetch(server.httpUrl, { headers })).json();
      deepStrictEqual([document.self ?? document.pubkey, document.name, document.description], [
        RELAY.pubkey,
        "Our GRASP",
        "Git and Nostr",
      ]);
      await servesExactly(client, old.good);
      const { contribution, repositories: [proposedTo] } = old;
      const offered = `prs/${encodeNpub(contribution.pubkey)}/${proposedTo!.identifier}.git`;
      for (const url of [`${server.httpUrl}/${offered}`, server.cloneUrl(proposedTo!.owner.npub, "site")]) {
        match(
          (await tryGit(directory, "ls-remote", url)).stdout,
          new RegExp(`refs/nostr/${contribution.id}`),
        );
      }
      for (const repository of old.repositories.slice(1)) {
        pushed = (await clonesAndPushes(server, client, repository)).id;
      }
      // What waited in the old server's purgatory waits here.
      const { owner, identifier, work, state } = old.waiting;
      const push = await tryGit(work, "push", server.cloneUrl(owner.npub, identifier), "main");
      strictEqual(push.code, 0, push.stderr);
      strictEqual((await client.query({ ids: [state.id] })).length, 1);
    });

    // Back: the old database is untouched, its files only renamed, and what came meanwhile can be sent to it.
    deepStrictEqual(await Deno.readFile(`${old.relayPath}/data.mdb`), lmdb);
    for (const name of ["purgatory-state.json", "rejected-events-cache.json"]) {
      ok(await Deno.stat(`${old.gitPath}/${name}.imported`));
    }
    const dump = await inPlace(directory, "export", "--to", "since.jsonl", ...own);
    strictEqual(dump.code, 0, dump.stderr);
    const lines = (await Deno.readTextFile(`${directory}/since.jsonl`)).trim().split("\n");
    ok(lines.some((line) => JSON.parse(line).id === pushed));
  }));
