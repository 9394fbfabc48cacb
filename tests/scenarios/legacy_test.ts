import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { newWorkTree, refsOf, tryGit } from "../support/git_client.ts";
import { announce, declare, newSigner } from "../support/keys.ts";
import { legacyAnnouncement, legacyState, purgatoryState, rejectedCache } from "../support/legacy_files.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { eventually, withTempDirectory } from "../support/temp.ts";

const DOMAIN = "git.example.org";
const STATE = "purgatory-state.json";
const REJECTED = "rejected-events-cache.json";

/** Starts a server on a git data directory with these two files and stops it after `play`. */
async function startedOn(
  directory: string,
  files: Readonly<Record<string, string>>,
  play: (server: ServerProcess, names: readonly string[]) => Promise<void>,
): Promise<void> {
  const dataPath = `${directory}/data`;
  await Deno.mkdir(`${dataPath}/git`, { recursive: true });
  for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${dataPath}/git/${name}`, text);
  const server = await ServerProcess.start({ dataPath, env: { NGIT_DOMAIN: DOMAIN } });
  try {
    const names = (await Array.fromAsync(Deno.readDir(`${dataPath}/git`))).map(({ name }) => name);
    await play(server, names.filter((name) => name.startsWith(STATE) || name.startsWith(REJECTED)).sort());
  } finally {
    await server.stop();
  }
}

Deno.test("S-108 M-25 P-90 a server starts although both files of a Rust ngit-grasp are damaged", () =>
  withTempDirectory((directory) =>
    startedOn(directory, { [STATE]: '{"version": 1, "saved', [REJECTED]: "\0" }, (server, names) => {
      deepStrictEqual(names, [`${STATE}.invalid`, `${REJECTED}.invalid`]);
      strictEqual(server.log.match(/cannot be read; not imported/g)?.length, 2);
      return Promise.resolve();
    })
  ));

Deno.test("P-90 M-25 what waited at the stop of a Rust ngit-grasp waits here: the push is accepted and releases it", () =>
  withTempDirectory(async (directory) => {
    const owner = newSigner();
    const work = await newWorkTree(`${directory}/work`);
    const announcement = announce(owner, "moved", { domain: DOMAIN });
    const state = declare(owner, "moved", await refsOf(work), { head: "refs/heads/main" });
    const savedAt = Date.now() - 30_000;
    const files = {
      [STATE]: purgatoryState(savedAt, {
        announcements: [legacyAnnouncement(announcement)],
        states: { moved: [legacyState(state, "Direct")] },
      }),
      [REJECTED]: rejectedCache(savedAt, { ids: [{ event: declare(owner, "other", {}), age: 5 }] }),
    };
    await startedOn(directory, files, async (server, names) => {
      deepStrictEqual(names, [`${STATE}.imported`, `${REJECTED}.imported`]);
      match(server.log, /imported.*"announcements":1,"states":1/);
      match(server.log, /imported.*"refused":1/);
      const { code, stderr } = await tryGit(work, "push", server.cloneUrl(owner.npub, "moved"), "main");
      strictEqual(code, 0, stderr);
      const relay = await RelayClient.connect(server.wsUrl);
      try {
        const served = async () => (await relay.query({ ids: [announcement.id, state.id] })).length === 2;
        await eventually("both events are served", served);
        ok(await served());
      } finally {
        await relay.close();
      }
    });
  }));
