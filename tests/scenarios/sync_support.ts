import { ok } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { announceOn } from "../support/announce_on.ts";
import { newWorkTree, tryGit } from "../support/git_client.ts";
import { newSigner, type Signer } from "../support/keys.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { withTempDirectory } from "../support/temp.ts";
import { declareAll, type Hosted, publish, pushAll } from "./support.ts";

const DEADLINE_MS = 60_000;
const LOOK_MS = 50;
const ENV = { NGIT_TEST: "1", NGIT_SHUTDOWN_TIMEOUT_SECS: "10" };

/** A server behind a proxy whose port is its public name. */
export class Member {
  readonly #dataPath: string;
  readonly #bootstrap: () => string;
  readonly #env: Readonly<Record<string, string>>;
  #server: ServerProcess | undefined;
  #port: number | undefined;
  #log = "";

  constructor(
    readonly name: string,
    readonly proxy: TcpProxy,
    dataPath: string,
    bootstrap: () => string,
    env: Readonly<Record<string, string>> = {},
  ) {
    this.#dataPath = dataPath;
    this.#bootstrap = bootstrap;
    this.#env = env;
  }

  /** `host:port` as events name it. */
  get domain(): string {
    return `localhost:${this.proxy.port}`;
  }

  /** The running process. */
  get server(): ServerProcess {
    return this.#server!;
  }

  /** What all its lives have written. */
  get log(): string {
    return this.#log + (this.#server?.log ?? "");
  }

  get dataPath(): string {
    return this.#dataPath;
  }

  /** Starts it, after the first time on the same port and data. */
  async start(): Promise<void> {
    this.#server = await ServerProcess.start({
      dataPath: this.#dataPath,
      env: {
        ...ENV,
        NGIT_DOMAIN: this.domain,
        NGIT_SYNC_BOOTSTRAP_RELAY_URL: this.#bootstrap(),
        ...this.#env,
      },
      ...(this.#port !== undefined && { port: this.#port }),
    });
    this.#port = this.proxy.backendPort = this.#server.port;
  }

  /** Ends it; returns the exit code. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number> {
    const server = this.#server;
    if (!server) return 0;
    const code = signal === "SIGTERM" ? await server.stop() : (await server.kill(), 137);
    this.#log += server.log;
    this.#server = undefined;
    return code;
  }

  /** Publishes as a client of this server; every event has to be accepted. */
  async publish(...events: readonly NostrEvent[]): Promise<void> {
    await this.#asClient(async (relay) => {
      for (const event of events) {
        const { accepted, message } = await relay.publish(event);
        ok(accepted, `${this.name} refused kind ${event.kind}: ${message}`);
      }
    });
  }

  /** Stored events. */
  query(filter: Record<string, unknown>): Promise<NostrEvent[]> {
    return this.#asClient((relay) => relay.query(filter));
  }

  /** Waits until all of `events` are served. */
  async serves(...events: readonly NostrEvent[]): Promise<void> {
    const ids = events.map(({ id }) => id);
    await this.until(
      `serves kinds ${events.map(({ kind }) => kind)}`,
      async () => (await this.query({ ids })).length === new Set(ids).size,
    );
  }

  /** Waits until `condition` holds. */
  async until(what: string, condition: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + DEADLINE_MS;
    while (!await condition()) {
      if (Date.now() > deadline) throw new Error(`${this.name} does not: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** A work tree whose owner announced it on `members`, with its first state and push done here. */
  async host(
    directory: string,
    identifier: string,
    members: readonly Member[],
    options: { readonly owner?: Signer; readonly maintainers?: readonly string[] } = {},
  ): Promise<Hosted & { readonly announcement: NostrEvent }> {
    const { owner = newSigner(), maintainers = [] } = options;
    const work = await newWorkTree(`${directory}/work-${identifier}-${owner.npub.slice(-6)}`, [
      "a.txt",
      "b.txt",
    ]);
    const domains = members.map(({ domain }) => domain);
    const announcement = announceOn(owner, identifier, domains, { maintainers });
    const hosted = { owner, identifier, work, url: this.server.cloneUrl(owner.npub, identifier) };
    await this.#asClient(async (relay) => {
      await publish(relay, announcement, "purgatory:");
      await declareAll(relay, hosted, "purgatory:", Math.floor(Date.now() / 1000) - 10);
    });
    await pushAll(hosted);
    return { ...hosted, announcement };
  }

  /** Refs of a repository here, as `git ls-remote` prints them; empty when it is not served. */
  async refs(owner: Signer, identifier: string): Promise<Record<string, string>> {
    const { stdout } = await tryGit(
      this.#dataPath,
      "ls-remote",
      this.server.cloneUrl(owner.npub, identifier),
    );
    return Object.fromEntries(stdout.split("\n").filter(Boolean).map((line) => line.split("\t").reverse()));
  }

  async #asClient<T>(work: (relay: RelayClient) => Promise<T>): Promise<T> {
    const relay = await RelayClient.connect(this.server.wsUrl);
    try {
      return await work(relay);
    } finally {
      await relay.close();
    }
  }
}

/** Two running servers; B was told of A, A knows nobody. */
export interface PairOfServers {
  readonly directory: string;
  readonly a: Member;
  readonly b: Member;
}

/** Runs `play` with two fresh servers; B runs only if `startB`. Stops everything it started. */
export async function pair(
  play: (servers: PairOfServers) => Promise<void>,
  { startB = true, env = {} as Readonly<Record<string, string>> } = {},
): Promise<void> {
  await withTempDirectory(async (directory) => {
    const [proxyA, proxyB] = [await TcpProxy.start(), await TcpProxy.start()];
    const a = new Member("A", proxyA, `${directory}/a`, () => "", env);
    const b = new Member("B", proxyB, `${directory}/b`, () => `ws://${a.domain}`, env);
    try {
      await a.start();
      if (startB) await b.start();
      await play({ directory, a, b });
    } catch (error) {
      for (const { name, log } of [a, b]) console.error(`--- ${name}\n${log.slice(-4_000)}`);
      throw error;
    } finally {
      await Promise.all([a.end("SIGTERM"), b.end("SIGTERM")]);
      await Promise.all([proxyA.close(), proxyB.close()]);
    }
  });
}
