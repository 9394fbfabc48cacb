import { declareAll, type Hosted, publish, pushAll } from "../tests/scenarios/support.ts";
import { git } from "../tests/support/git_client.ts";
import { announce, newSigner } from "../tests/support/keys.ts";
import { RelayClient } from "../tests/support/relay_client.ts";
import { ServerProcess } from "../tests/support/server_process.ts";
import { type Peer, PeerMissing, startPeer } from "./peer.ts";
import { SERVER_ENV } from "./relay_site.ts";
import { buildRepository, objectCount } from "./repository.ts";

/** One of the two servers a git row measures. */
export interface GitHost {
  /** URL to clone from and push to. */
  readonly url: string;
}

/** A server with a large repository and the peer with a copy of it. */
export interface GitSite {
  readonly ours: GitHost;
  readonly serverPid: number;
  /** The peer, or why there is none. */
  readonly peer: GitHost | { readonly missing: string };
  /** The repository as clients know it; `work` is a bare repository. */
  readonly repository: Hosted;
  readonly relay: RelayClient;
  /** `5,000 commits, 20,000 objects`. */
  readonly size: string;
  close(): Promise<void>;
}

/** Starts a {@link GitSite} with everything below `directory`. */
export async function openGitSite(directory: string, commits: number): Promise<GitSite> {
  const work = `${directory}/source.git`;
  await buildRepository(work, commits);
  const server = await ServerProcess.start({ dataPath: `${directory}/data`, env: SERVER_ENV });
  const undo: (() => Promise<unknown>)[] = [() => server.stop()];
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const relay = await RelayClient.connect(server.wsUrl);
    undo.push(() => relay.close());
    const repository = await host(server, relay, work);
    const copied = `${directory}/data/git/${repository.owner.npub}/${repository.identifier}.git`;
    const peer = await openPeer(copied, `${directory}/peer`);
    if ("stop" in peer) undo.push(() => peer.stop());
    return {
      ours: { url: repository.url },
      serverPid: server.pid,
      peer: "stop" in peer ? { url: `${peer.url}/copy.git` } : peer,
      repository,
      relay,
      size: `${commits.toLocaleString("en")} commits, ${
        (await objectCount(work)).toLocaleString("en")
      } objects`,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function host(server: ServerProcess, relay: RelayClient, work: string): Promise<Hosted> {
  const owner = newSigner();
  const identifier = "large";
  await publish(relay, announce(owner, identifier, { domain: server.domain }), "purgatory:");
  const repository = { owner, identifier, work, url: server.cloneUrl(owner.npub, identifier) };
  await declareAll(relay, repository, "purgatory:", Math.floor(Date.now() / 1000) - 1000);
  await pushAll(repository);
  return repository;
}

/** The peer on a copy of our repository directory, with our durability and pack settings. */
async function openPeer(original: string, directory: string): Promise<Peer | { readonly missing: string }> {
  const copy = `${directory}/repositories/copy.git`;
  await Deno.mkdir(`${directory}/repositories`, { recursive: true });
  await git(directory, "clone", "-q", "--mirror", original, copy);
  await Deno.remove(`${copy}/objects`, { recursive: true });
  const { success } = await new Deno.Command("cp", { args: ["-r", `${original}/objects`, copy] }).output();
  if (!success) throw new Error("the repository could not be copied");
  const settings = {
    "http.receivepack": "true",
    "core.fsync": "committed,reference",
    "core.fsyncMethod": "batch",
    "receive.unpackLimit": "1",
    "receive.autogc": "false",
    "pack.threads": "2",
  };
  for (const [key, value] of Object.entries(settings)) await git(copy, "config", key, value);
  try {
    return await startPeer(`${directory}/repositories`, directory);
  } catch (error) {
    if (error instanceof PeerMissing) return { missing: error.message };
    throw error;
  }
}
