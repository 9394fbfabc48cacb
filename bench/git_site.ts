import { declareAll, type Hosted, publish, pushAll } from "../tests/scenarios/support.ts";
import { git, refsOf } from "../tests/support/git_client.ts";
import { announce, declare, newSigner } from "../tests/support/keys.ts";
import { RelayClient } from "../tests/support/relay_client.ts";
import { ServerProcess } from "../tests/support/server_process.ts";
import type { Contestants, GitHost } from "./contest.ts";
import { type Peer, PeerMissing, startPeer } from "./peer.ts";
import type { PeerChoice } from "./peer_choice.ts";
import { SERVER_ENV } from "./relay_site.ts";
import { objectCount } from "./repository.ts";

/** One repository on our server, and the peer with a copy of it. */
export interface GitSite extends Contestants {
  /** The repository as clients know it; `work` is a bare repository. */
  readonly repository: Hosted;
  readonly relay: RelayClient;
  readonly server: ServerProcess;
  /** `20,000 objects, 51 refs`. */
  readonly size: string;
}

/**
 * The time git clients take for a push grows with the square of its refs. More of them come by a state that names
 * what `main` has brought.
 */
const FAST_PUSH_REFS = 2_000;

/** Settings of the peer's repositories: our durability and packs, and the requests we answer. */
const PEER_SETTINGS = {
  "http.receivepack": "true",
  "uploadpack.allowFilter": "true",
  "core.fsync": "committed,reference",
  "core.fsyncMethod": "batch",
  "receive.unpackLimit": "1",
  "receive.autogc": "false",
  "pack.threads": "2",
};

/** Our server and the peer side by side, with the same repositories. */
export class GitPair {
  readonly #directory: string;
  readonly #server: ServerProcess;
  readonly #relay: RelayClient;
  readonly #peer: Peer | { readonly missing: string };

  private constructor(
    directory: string,
    server: ServerProcess,
    relay: RelayClient,
    peer: Peer | { readonly missing: string },
  ) {
    this.#directory = directory;
    this.#server = server;
    this.#relay = relay;
    this.#peer = peer;
  }

  /** Starts both with everything below `directory`; `env` is for our server. */
  static async open(
    directory: string,
    choice: PeerChoice,
    env: Readonly<Record<string, string>> = {},
  ): Promise<GitPair> {
    const server = await ServerProcess.start({
      dataPath: `${directory}/data`,
      env: { ...SERVER_ENV, ...env },
    });
    let relay: RelayClient | undefined;
    try {
      relay = await RelayClient.connect(server.wsUrl);
      return new GitPair(directory, server, relay, await openPeer(choice, `${directory}/peer`));
    } catch (error) {
      await relay?.close();
      await server.stop();
      throw error;
    }
  }

  /**
   * Brings the bare repository `source` to our server and gives the peer a copy of what is stored there. With a
   * peer elsewhere, `elsewhere` is where the same repository is found; without it that peer takes no part.
   */
  async host(identifier: string, source: string, elsewhere?: GitHost): Promise<GitSite> {
    const refs = Object.keys(await refsOf(source)).length;
    const repository = await this.#announce(identifier, source);
    const { createdAt } = repository;
    if (elsewhere || refs <= FAST_PUSH_REFS) {
      await declareAll(this.#relay, repository, "purgatory:", createdAt);
      await pushAll(repository);
    } else {
      await this.#declareMain(repository, createdAt);
      await git(source, "push", "-q", repository.url, "refs/heads/main");
      await declareAll(this.#relay, repository, "", createdAt + 1);
    }
    const number = (count: number) => count.toLocaleString("en");
    return {
      ours: { url: repository.url, directory: this.#storedAt(repository) },
      serverPid: this.#server.pid,
      peer: elsewhere ?? await this.#copyFor(repository),
      repository,
      relay: this.#relay,
      server: this.#server,
      size: `${number(await objectCount(source))} objects, ${number(refs)} ${refs === 1 ? "ref" : "refs"}`,
    };
  }

  /** Announces and declares `source` for a first push on our server, and makes an empty repository on the peer. */
  async expect(identifier: string, source: string): Promise<GitSite> {
    const repository = await this.#announce(identifier, source);
    await declareAll(this.#relay, repository, "purgatory:", repository.createdAt);
    return {
      ours: { url: repository.url, directory: this.#storedAt(repository) },
      serverPid: this.#server.pid,
      peer: await this.#emptyFor(repository),
      repository,
      relay: this.#relay,
      server: this.#server,
      size: `${(await objectCount(source)).toLocaleString("en")} objects`,
    };
  }

  /** Stops both. */
  async close(): Promise<void> {
    await this.#relay.close();
    await this.#server.stop();
    if ("stop" in this.#peer) await this.#peer.stop();
  }

  async #announce(identifier: string, work: string): Promise<Hosted & { readonly createdAt: number }> {
    const owner = newSigner();
    await publish(this.#relay, announce(owner, identifier, { domain: this.#server.domain }), "purgatory:");
    const url = this.#server.cloneUrl(owner.npub, identifier);
    return { owner, identifier, work, url, createdAt: Math.floor(Date.now() / 1000) - 1000 };
  }

  /** A state with `main` alone: what the first push then brings. */
  async #declareMain({ owner, identifier, work }: Hosted, createdAt: number): Promise<void> {
    const refs = { "refs/heads/main": await git(work, "rev-parse", "refs/heads/main") };
    const state = declare(owner, identifier, refs, { head: "refs/heads/main", created_at: createdAt });
    await publish(this.#relay, state, "purgatory:");
  }

  async #copyFor(repository: Hosted): Promise<Contestants["peer"]> {
    if (!("stop" in this.#peer)) return this.#peer;
    const original = this.#storedAt(repository);
    const copy = this.#peerPath(repository);
    await git(this.#directory, "clone", "-q", "--mirror", original, copy);
    await Deno.remove(`${copy}/objects`, { recursive: true });
    const { success } = await new Deno.Command("cp", { args: ["-r", `${original}/objects`, copy] }).output();
    if (!success) throw new Error("the repository could not be copied");
    return await this.#served(repository);
  }

  async #emptyFor(repository: Hosted): Promise<Contestants["peer"]> {
    if (!("stop" in this.#peer)) return this.#peer;
    await git(this.#directory, "init", "-q", "--bare", "-b", "main", this.#peerPath(repository));
    return await this.#served(repository);
  }

  async #served(repository: Hosted): Promise<GitHost> {
    for (const [key, value] of Object.entries(PEER_SETTINGS)) {
      await git(this.#peerPath(repository), "config", key, value);
    }
    const url = `${(this.#peer as Peer).url}/${repository.identifier}.git`;
    return { url, directory: this.#peerPath(repository) };
  }

  #storedAt({ owner, identifier }: Hosted): string {
    return `${this.#directory}/data/git/${owner.npub}/${identifier}.git`;
  }

  #peerPath({ identifier }: Hosted): string {
    return `${this.#directory}/peer/repositories/${identifier}.git`;
  }
}

/** Why such a peer takes no part in rows that push or need a repository it does not have. */
const ELSEWHERE = "the peer at --peer-url takes part only where the repository of --peer-repo is read";

async function openPeer(choice: PeerChoice, directory: string): Promise<Peer | { readonly missing: string }> {
  if (choice.kind === "none") return { missing: "--peer none" };
  if (choice.kind === "url") return { missing: ELSEWHERE };
  await Deno.mkdir(`${directory}/repositories`, { recursive: true });
  try {
    return await startPeer(`${directory}/repositories`, directory);
  } catch (error) {
    if (error instanceof PeerMissing) return { missing: error.message };
    throw error;
  }
}
