import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { git } from "../support/git_client.ts";
import { withTempDirectory } from "../support/temp.ts";
import { goServer, RELAY } from "./layouts.ts";
import { clonesAndPushes, inPlace, servesExactly, serving } from "./support.ts";

/** Runs the shell commands that the page gives for this, as the user who is here. */
async function tidyUp(directory: string): Promise<void> {
  const page = await Deno.readTextFile("docs/migrate.md");
  const block = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]!)
    .find((text) => text.includes("origin_"))!;
  const script = block.replace(/chown \S+ \S+ \S+ && /, "").replace("sudo -u grasp ", "");
  strictEqual(/chown|sudo/.test(script), false);
  const { code, stdout, stderr } = await new Deno.Command("sh", { args: ["-ec", script], cwd: directory })
    .output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  deepStrictEqual([code, said.replace(/^notice: .*\n/gm, "")], [0, ""]);
}

async function symlinksIn(directory: string): Promise<number> {
  return (await Array.fromAsync(Deno.readDir(directory))).filter(({ isSymlink }) => isSymlink).length;
}

Deno.test("M-37 M-38 an ngit-relay moves: its .env, its repositories with hooks, its events as JSON lines", () =>
  withTempDirectory(async (directory) => {
    const old = await goServer(directory);
    const relayPath = `${directory}/relay`;
    const own = ["--git-data-path", "./volumes/repos", "--relay-data-path", "./relay"];
    const check = await inPlace(directory, "--check-config", ...own);
    strictEqual(check.code, 0, check.stdout + check.stderr);
    match(check.stdout, /Blossom is no longer part of GRASP/);
    match(check.stdout, /NGIT_BIND_ADDRESS=0\.0\.0\.0:8081/);

    const broken = ["", "not JSON", JSON.stringify({ kind: 1 })];
    const dump = [...old.events.map((event) => JSON.stringify(event)), ...broken].join("\n");
    await Deno.writeTextFile(`${directory}/dump.jsonl`, dump);
    const later: NostrEvent[] = [];
    const load = () => inPlace(directory, "import", "--from", "dump.jsonl", ...own, "--format", "json");
    const [first, second] = [await load(), await load()];
    const [one, two] = [JSON.parse(first.stdout), JSON.parse(second.stdout)];
    deepStrictEqual([one.stored, one.refused.signature], [old.good.length, 1], first.stderr);
    deepStrictEqual([two.stored, two.refused.signature], [0, 1], second.stderr);

    // Nothing has to be tidied up for hooks to be without effect.
    const [hooked, ...others] = old.repositories;
    await serving(old, relayPath, async (server, client) => {
      await servesExactly(client, old.good);
      later.push(await clonesAndPushes(server, client, hooked!));
    });
    await tidyUp(directory);
    for (const { path } of old.repositories) {
      strictEqual((await Deno.stat(path)).mode! & 0o777, 0o750);
      deepStrictEqual([await git(path, "remote"), await symlinksIn(`${path}/hooks`)], ["", 0]);
    }
    await serving(old, relayPath, async (server, client) => {
      const headers = { Accept: "application/nostr+json" };
      const document = await (await fetch(server.httpUrl, { headers })).json();
      deepStrictEqual([document.pubkey, document.name], [RELAY.pubkey, "Our GRASP"]);
      const replaced = hooked!.state;
      await servesExactly(client, [...old.good.filter((event) => event !== replaced), ...later]);
      for (const repository of others) await clonesAndPushes(server, client, repository);
    });
    strictEqual(await Deno.stat(old.hookMark).catch(() => "absent"), "absent");
    // An announcement without git data, which ngit-relay served, waits and is told about.
    const asked = await inPlace(directory, "why", old.empty.id, ...own);
    strictEqual(asked.code, 0, asked.stderr);
    match(asked.stdout, /it waits in purgatory/);
  }));
