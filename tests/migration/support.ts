import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { git, tryGit } from "../support/git_client.ts";
import { RelayClient } from "../support/relay_client.ts";
import { programCommand, ServerProcess } from "../support/server_process.ts";
import { nextVersion, type OldRepository, type OldServer } from "./layouts.ts";

/** What a command said. */
export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the program as an operator does: in the directory of the `.env`, nothing else set. */
export async function inPlace(directory: string, ...args: string[]): Promise<Said> {
  const { command, args: own } = programCommand();
  const inherited = ["PATH", "HOME", "DENO_DIR", "DENO_TLS_CA_STORE", "TMPDIR", "XDG_CACHE_HOME"]
    .flatMap((name) => Deno.env.has(name) ? [[name, Deno.env.get(name)!]] : []);
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...own, ...args],
    cwd: directory,
    clearEnv: true,
    env: { ...Object.fromEntries(inherited), NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** A server on the data that was taken over, and a client of it. */
export async function serving(
  { directory, gitPath }: OldServer,
  relayPath: string,
  play: (server: ServerProcess, relay: RelayClient) => Promise<void>,
): Promise<void> {
  const server = await ServerProcess.start({
    dataPath: directory,
    // What the .env says holds, but for paths and port; the key comes from its file.
    env: {
      NGIT_GIT_DATA_PATH: gitPath,
      NGIT_RELAY_DATA_PATH: relayPath,
      NGIT_RELAY_OWNER_NSEC: "",
      NGIT_SYNC_ENABLE: "false",
    },
  });
  try {
    const relay = await RelayClient.connect(server.wsUrl);
    try {
      await play(server, relay);
    } finally {
      await relay.close();
    }
  } catch (error) {
    console.error(server.log.slice(-3_000));
    throw error;
  } finally {
    strictEqual(await server.stop(), 0);
  }
}

/** The relay serves exactly these events. */
export async function servesExactly(relay: RelayClient, events: readonly NostrEvent[]): Promise<void> {
  const served = (await relay.query({})).map(({ id }) => id);
  deepStrictEqual(served.sort(), events.map(({ id }) => id).sort());
}

/** Stock git clones what the old work tree has, and a push of a newer state is accepted and served. */
export async function clonesAndPushes(
  server: ServerProcess,
  relay: RelayClient,
  repository: OldRepository,
): Promise<NostrEvent> {
  const { owner, identifier, work } = repository;
  const url = server.cloneUrl(owner.npub, identifier);
  const clone = await Deno.makeTempDir({ dir: `${work}/..` });
  await git(clone, "clone", "-q", url, "copy");
  strictEqual(await git(`${clone}/copy`, "rev-parse", "HEAD"), await git(work, "rev-parse", "main"));
  const state = await nextVersion(repository);
  const answer = await relay.publish(state);
  ok(answer.accepted, answer.message);
  const push = await tryGit(work, "push", url, "main", "next", "v1");
  strictEqual(push.code, 0, push.stderr);
  strictEqual((await relay.query({ ids: [state.id] })).length, 1);
  return state;
}
