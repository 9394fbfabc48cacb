import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { nsecEncode } from "nostr-tools/nip19";
import { encodeNpub } from "../../lib/nostr/mod.ts";
import { RecordingLog } from "../observe/recording_log.ts";
import { commitFile, git, newWorkTree, refsOf, tryGit } from "../support/git_client.ts";
import { announce, declare, newSigner } from "../support/keys.ts";
import { RelayClient } from "../support/relay_client.ts";
import { withServerHere } from "../support/server_here.ts";
import { withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { declareAll, hosted, processesMentioning, publish, pushAll, scene } from "./support.ts";

Deno.test("M-22 an idle server logs nothing at INFO for ten minutes", () =>
  withTempDirectory(async (directory) => {
    const log = new RecordingLog();
    const clock = new VirtualClock();
    await withServerHere({ directory, clock, log }, async () => {
      await clock.advance(1_000);
      const spoken = () => log.records.filter(({ level }) => level !== "debug" && level !== "trace");
      const before = spoken().length;
      ok(before > 0);
      for (let minute = 0; minute < 10; minute++) {
        await clock.advance(60_000);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      deepStrictEqual(spoken().slice(before), []);
    });
  }));

Deno.test("M-30 pushes start no git gc, whatever the configuration of the repository asks for", () =>
  scene(async (stage) => {
    const repository = await hosted(stage, "loose");
    const path = `${stage.directory}/data/git/${repository.owner.npub}/loose.git`;
    await git(path, "config", "gc.auto", "1");
    await git(path, "config", "gc.autoPackLimit", "1");
    await git(path, "config", "gc.autoDetach", "true");
    await git(path, "config", "maintenance.auto", "true");
    const now = Math.floor(Date.now() / 1000);
    for (const [index, name] of ["one", "two", "three"].entries()) {
      await commitFile(repository.work, name, `${name}\n`);
      await declareAll(stage.relay, repository, "purgatory:", now - 50 + index);
      await pushAll(repository);
      deepStrictEqual(
        (await processesMentioning(path)).filter((line) => /\b(?:gc|maintenance)\b/.test(line)),
        [],
      );
    }
    const packs = (await Array.fromAsync(Deno.readDir(`${path}/objects/pack`))).map(({ name }) => name);
    strictEqual(packs.filter((name) => name.endsWith(".pack")).length, 4, "one per push, as it came");
  }));

Deno.test("M-36 on a full disk pushes are refused, readiness names the disk, clones and the disk gauge work", () =>
  withTempDirectory(async (directory) => {
    const owner = newSigner();
    const domain = "git.example.org";
    const work = await newWorkTree(`${directory}/work`);
    const url = (server: string) => `${server}/${owner.npub}/full.git`;
    await withServerHere({ directory, env: { NGIT_DOMAIN: domain } }, async (server) => {
      const relay = await RelayClient.connect(server.url.replace("http", "ws"));
      await publish(relay, announce(owner, "full", { domain }), "purgatory:");
      const state = declare(owner, "full", await refsOf(work), { head: "refs/heads/main" });
      await publish(relay, state, "purgatory:");
      strictEqual((await tryGit(work, "push", url(server.url), "main")).code, 0);
      await relay.close();
    });
    const env = { NGIT_DOMAIN: domain, NGIT_MIN_FREE_DISK_MB: "1000000000" };
    await withServerHere({ directory, env }, async (server) => {
      const push = await tryGit(work, "push", url(server.url), "main:again");
      ok(push.code !== 0);
      match(push.stderr, /server storage is full/);
      const ready = await fetch(`${server.url}/readyz`);
      strictEqual(ready.status, 503);
      match(await ready.text(), /disk/);
      await git(directory, "clone", "-q", url(server.url), `${directory}/clone`);
      const metrics = await (await fetch(`${server.url}/metrics`)).text();
      match(metrics, /^ngit_disk_free_bytes\{volume="git"\} \d{4,}$/m);
    });
  }));

Deno.test("M-38 a tree taken over with its hooks can be cloned and pushed to, and no hook runs", () =>
  withTempDirectory(async (directory) => {
    const owner = newSigner();
    const domain = "git.example.org";
    const path = `${directory}/git/${owner.npub}/taken.git`;
    const work = await newWorkTree(`${directory}/work`);
    await Deno.mkdir(`${directory}/git/${owner.npub}`, { recursive: true });
    await git(directory, "clone", "-q", "--bare", work, path);
    await git(path, "config", "http.receivepack", "true");
    await git(path, "config", "uploadpack.allowTipSHA1InWant", "true");
    const marker = `${directory}/hook-ran`;
    const hook = `${directory}/ngit-relay-hook`;
    await Deno.writeTextFile(hook, `#!/bin/sh\ntouch '${marker}'\nexit 1\n`, { mode: 0o755 });
    await Deno.mkdir(`${path}/hooks`, { recursive: true });
    for (const name of ["pre-receive", "post-receive"]) await Deno.symlink(hook, `${path}/hooks/${name}`);
    await withServerHere({ directory, env: { NGIT_DOMAIN: domain } }, async (server) => {
      const relay = await RelayClient.connect(server.url.replace("http", "ws"));
      const url = `${server.url}/${owner.npub}/taken.git`;
      await publish(relay, announce(owner, "taken", { domain }), "purgatory:");
      const first = declare(owner, "taken", await refsOf(work), { head: "refs/heads/main" });
      await publish(relay, first, "");
      await git(directory, "clone", "-q", url, `${directory}/clone`);
      await commitFile(work, "more", "more\n");
      const second = declare(owner, "taken", await refsOf(work), {
        head: "refs/heads/main",
        created_at: first.created_at + 1,
      });
      await publish(relay, second, "purgatory:");
      const push = await tryGit(work, "push", url, "main");
      strictEqual(push.code, 0, push.stderr);
      strictEqual((await relay.query({ ids: [second.id] })).length, 1);
      await relay.close();
    });
    strictEqual(await Deno.stat(marker).catch(() => "absent"), "absent");
  }));

Deno.test("M-39 the .env and key file of a Rust installation give the same key, name and description", () =>
  withTempDirectory(async (directory) => {
    const signer = newSigner(new Uint8Array(32).fill(7));
    await Deno.writeTextFile(`${directory}/.relay-owner.nsec`, nsecEncode(new Uint8Array(32).fill(7)), {
      mode: 0o600,
    });
    const lines = [
      "NGIT_DOMAIN=git.example.org",
      'NGIT_RELAY_NAME="Our GRASP"',
      "NGIT_RELAY_DESCRIPTION=Git and Nostr",
      "NGIT_DATABASE_BACKEND=lmdb",
    ];
    await Deno.writeTextFile(`${directory}/.env`, lines.join("\n") + "\n");
    await withServerHere({ directory }, async (server) => {
      const headers = { Accept: "application/nostr+json" };
      const document = await (await fetch(server.url, { headers })).json();
      deepStrictEqual([document.self ?? document.pubkey, document.name, document.description], [
        signer.pubkey,
        "Our GRASP",
        "Git and Nostr",
      ]);
      strictEqual(encodeNpub(document.pubkey), signer.npub);
    });
  }));
