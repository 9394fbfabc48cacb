import { ok, strictEqual } from "node:assert/strict";
import { announce, declare, newSigner, type Signer } from "../support/keys.ts";
import { git, newWorkTree, refsOf, tryGit } from "../support/git_client.ts";
import { RelayClient } from "../support/relay_client.ts";
import { type ServerOptions, ServerProcess } from "../support/server_process.ts";
import { withTempDirectory } from "../support/temp.ts";

/** A running server with one connected client and a directory that disappears afterwards. */
export interface Scene {
  readonly directory: string;
  readonly server: ServerProcess;
  readonly relay: RelayClient;
}

/** Runs `play` against a fresh server process; stops everything it started. */
export async function scene(
  play: (scene: Scene) => Promise<void>,
  env: ServerOptions["env"] = {},
): Promise<void> {
  await withTempDirectory(async (directory) => {
    const server = await ServerProcess.start({ dataPath: `${directory}/data`, env });
    try {
      const relay = await RelayClient.connect(server.wsUrl);
      try {
        await play({ directory, server, relay });
      } finally {
        await relay.close();
      }
    } catch (error) {
      console.error(server.log.slice(-4_000));
      throw error;
    } finally {
      await server.stop();
    }
  });
}

/** Kills the server as a power cut would and starts it again on the same data and port. */
export async function killAndRestart(
  { server, directory }: Pick<Scene, "server" | "directory">,
): Promise<ServerProcess> {
  await server.kill();
  return await ServerProcess.start({ dataPath: `${directory}/data`, port: server.port });
}

/** Publishes and asserts the OK; `expected` is a prefix of its text ("" = served at once). */
export async function publish(
  relay: RelayClient,
  event: Parameters<RelayClient["publish"]>[0],
  expected: string,
): Promise<void> {
  const { accepted, message } = await relay.publish(event);
  ok(accepted, `refused: ${message}`);
  if (expected === "") strictEqual(message, "");
  else ok(message.startsWith(expected), `${message} does not start with ${expected}`);
}

/** Publishes and asserts a refusal whose text matches. */
export async function expectRefusal(
  relay: RelayClient,
  event: Parameters<RelayClient["publish"]>[0],
  text: RegExp,
): Promise<void> {
  const { accepted, message } = await relay.publish(event);
  ok(!accepted, `accepted: ${message}`);
  ok(text.test(message), `${message} does not match ${text}`);
}

/** True when the event is returned by id. */
export async function isServed(relay: RelayClient, id: string): Promise<boolean> {
  return (await relay.query({ ids: [id] })).length === 1;
}

/** A repository of one owner, announced and with its first state and push done. */
export interface Hosted {
  readonly owner: Signer;
  readonly identifier: string;
  readonly work: string;
  readonly url: string;
}

/** A work tree and an announcement that waits for its data. */
export async function announced(
  { directory, server, relay }: Scene,
  identifier: string,
  owner = newSigner(),
): Promise<Hosted> {
  const work = await newWorkTree(`${directory}/work-${identifier}-${owner.npub.slice(-6)}`);
  await publish(relay, announce(owner, identifier, { domain: server.domain }), "purgatory:");
  return { owner, identifier, work, url: server.cloneUrl(owner.npub, identifier) };
}

/** Declares all refs of the work tree as the owner's state, HEAD included. */
export async function declareAll(
  relay: RelayClient,
  hosted: Hosted,
  expected: string,
  createdAt?: number,
): Promise<string> {
  const head = await git(hosted.work, "symbolic-ref", "HEAD");
  const state = declare(hosted.owner, hosted.identifier, await refsOf(hosted.work), {
    head,
    ...(createdAt !== undefined && { created_at: createdAt }),
  });
  await publish(relay, state, expected);
  return state.id;
}

/** Announces, declares and pushes: everything is served afterwards. */
export async function hosted(stage: Scene, identifier: string, owner = newSigner()): Promise<Hosted> {
  const repository = await announced(stage, identifier, owner);
  await declareAll(stage.relay, repository, "purgatory:", Math.floor(Date.now() / 1000) - 100);
  await pushAll(repository);
  return repository;
}

/** Pushes all branches and tags; asserts success. */
export async function pushAll({ work, url }: Pick<Hosted, "work" | "url">): Promise<string> {
  const { code, stderr } = await tryGit(
    work,
    "push",
    url,
    "refs/heads/*:refs/heads/*",
    "refs/tags/*:refs/tags/*",
  );
  strictEqual(code, 0, stderr);
  return stderr;
}

/** Refs the server lists, as `git ls-remote` prints them. */
export async function remoteRefs(directory: string, url: string): Promise<Record<string, string>> {
  const lines = (await git(directory, "ls-remote", url)).split("\n").filter(Boolean);
  return Object.fromEntries(lines.map((line) => line.split("\t").reverse() as [string, string]));
}

/** How many requests for packs a server has answered so: `hit`, `miss`, `bypass` ... */
export async function packRequests({ httpUrl }: ServerProcess, result: string): Promise<number> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text();
  const line = new RegExp(`^ngit_git_pack_cache_requests_total\\{result="${result}"\\} (\\d+)$`, "m");
  return Number(line.exec(text)?.[1] ?? 0);
}

/** Processes whose command line mentions `needle` (children of a server name its data directory). */
export async function processesMentioning(needle: string): Promise<string[]> {
  // Deno reads /proc only with every permission; the shell needs none.
  const script = 'for f in /proc/[0-9]*/cmdline; do tr "\\0" " " 2>/dev/null < "$f"; echo; done';
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script], stderr: "null" }).output();
  const commands = new TextDecoder().decode(stdout).split("\n");
  return commands.filter((command) => /^(?:\S*\/)?git(?:-\S+)? /.test(command) && command.includes(needle));
}
