import type { RepositoryRef } from "../../lib/git/mod.ts";
import {
  type FetchOutcome,
  type FetchRequest,
  type Hunt,
  type HuntSettings,
  type RemoteGit,
  startHunt,
} from "../../lib/hunt/mod.ts";
import { hostOf, NaughtyList } from "../../lib/outgoing/mod.ts";
import { release } from "../../lib/purgatory/mod.ts";
import { systemRandom } from "../../lib/world/mod.ts";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { DOMAIN, type Engine } from "../support/engine.ts";
import { git, newWorkTree, refsOf, tryGit } from "../support/git_client.ts";
import type { Signer } from "../support/keys.ts";
import { silentLog } from "../support/silent_log.ts";
import { eventually } from "../support/temp.ts";

/** `created_at` of what tests sign, in seconds. */
export const T = 1_700_000_000;

/** An announcement that lists the service and these other clone URLs. */
export function announced(
  owner: Signer,
  urls: readonly string[],
  options: { maintainers?: readonly string[]; created_at?: number; identifier?: string } = {},
): NostrEvent {
  const { maintainers = [], created_at = T, identifier = "repo" } = options;
  return owner.sign({
    kind: 30617,
    created_at,
    tags: [
      ["d", identifier],
      ["clone", `http://${DOMAIN}/${owner.npub}/${identifier}.git`, ...urls],
      ["relays", `ws://${DOMAIN}`],
      ["maintainers", ...maintainers],
    ],
  });
}

/** A work tree whose state the owner declares. */
export async function tree(world: Engine, name: string, files?: readonly string[]) {
  const path = await newWorkTree(`${world.directory}/${name}`, files);
  return { path, refs: await refsOf(path) };
}

/** Refs below refs/purgatory/ of a repository `repo`. */
export const keepRefs = async (world: Engine, owner: string) =>
  [...(await world.repositories.readRefs({ owner, identifier: "repo" })).refs.keys()]
    .filter((name) => name.startsWith("refs/purgatory/"));

/** How long the bench's naughty list keeps a host. */
export const LISTED_MS = 3_600_000;

/** One request for data as a peer saw it. */
export interface Asked {
  readonly url: string;
  readonly oids: readonly string[];
  readonly branches: boolean;
  readonly target: RepositoryRef;
  /** Milliseconds since the clock began. */
  readonly at: number;
}

/** Servers in memory: each URL is a work tree on disk, or an answer of its own. */
export class FakeRemote implements RemoteGit {
  readonly asked: Asked[] = [];
  /** Work tree or other repository by URL; a URL not listed does not answer. */
  readonly trees = new Map<string, string>();
  /** Answers instead of a tree. */
  readonly answers = new Map<string, (request: FetchRequest) => Promise<Partial<FetchOutcome>>>();
  /** Fetches under way by host, and the most of them at once so far. */
  readonly running = new Map<string, number>();
  peak = 0;
  readonly #world: Engine;

  constructor(world: Engine) {
    this.#world = world;
  }

  async fetch(request: FetchRequest): Promise<FetchOutcome> {
    const { url, oids, branches, target } = request;
    this.asked.push({ url, oids, branches, target, at: this.#world.clock.monotonic() });
    const host = hostOf(url);
    const count = (this.running.get(host) ?? 0) + 1;
    this.running.set(host, count);
    this.peak = Math.max(this.peak, count);
    try {
      const answer = await this.answers.get(url)?.(request) ?? await this.#fromTree(request);
      return { result: "nothing", obtained: new Set(), absent: new Set(), text: "", bytes: 0, ...answer };
    } finally {
      this.running.set(host, this.running.get(host)! - 1);
    }
  }

  async #fromTree({ url, oids, target }: FetchRequest): Promise<Partial<FetchOutcome>> {
    const tree = this.trees.get(url);
    if (tree === undefined) return { result: "network" };
    const path = this.#world.repositories.path(target);
    const obtained = new Set<string>();
    for (const oid of oids) {
      if ((await tryGit(tree, "cat-file", "-e", oid)).code !== 0) continue;
      await git(
        path,
        "fetch",
        "-q",
        "--no-tags",
        "--no-write-fetch-head",
        tree,
        `${oid}:refs/purgatory/keep/${oid}`,
      );
      obtained.add(oid);
    }
    const absent = new Set(oids.filter((oid) => !obtained.has(oid)));
    return { result: obtained.size > 0 ? "fetched" : "nothing", obtained, absent };
  }
}

/** A hunt over an engine. */
export interface HuntBench {
  readonly hunt: Hunt;
  readonly remote: FakeRemote;
  readonly naughty: NaughtyList;
  /** Results of hunts, fetches and skipped URLs as metrics saw them. */
  readonly seen: string[];
  /** Waits until everything committed so far has been noticed and nothing is under way. */
  quiet(): Promise<void>;
  /** Lets time pass and waits for what it started. */
  pass(ms: number): Promise<void>;
}

/** Runs `play` with a hunt on the engine's store and repositories. */
export async function hunting(
  world: Engine,
  play: (bench: HuntBench) => Promise<void>,
  settings: Partial<HuntSettings> = {},
): Promise<void> {
  const remote = new FakeRemote(world);
  const seen: string[] = [];
  const naughty = new NaughtyList({
    clock: world.clock,
    lifetimeMs: LISTED_MS,
    log: silentLog,
    subject: "git host",
  });
  let reads = 0;
  const store: typeof world.store = new Proxy(world.store, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (name !== "readIdentifier") return typeof value === "function" ? value.bind(target) : value;
      return async (identifier: string) => {
        reads++;
        try {
          return await target.readIdentifier(identifier);
        } finally {
          reads--;
        }
      };
    },
  });
  const hunt = startHunt({
    store,
    repositories: world.repositories,
    release: (identifier, receivedBy) =>
      world.locks.run([identifier], async () => {
        await release(world.parts, { identifier, receivedBy });
      }),
    remote,
    naughty,
    clock: world.clock,
    random: systemRandom,
    log: silentLog,
    metrics: {
      hunt: (result) => void seen.push(`hunt ${result}`),
      fetch: (result) => void seen.push(`fetch ${result}`),
      urlSkipped: (reason) => void seen.push(`skipped ${reason}`),
    },
    settings: {
      enabled: true,
      maxConcurrentPerHost: 5,
      maxPerMinutePerHost: 60,
      maxRunning: 8,
      hasSpace: () => Promise.resolve(true),
      isOwn: (url) => hostOf(url) === DOMAIN,
      ...settings,
    },
  });
  const quiet = async () => {
    let calm = 0;
    await eventually("the hunt is quiet", async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      calm = reads === 0 && hunt.gauges().units.running === 0 ? calm + 1 : 0;
      return calm >= 3;
    });
  };
  try {
    await quiet();
    await play({
      hunt,
      remote,
      naughty,
      seen,
      quiet,
      pass: async (ms) => {
        await quiet();
        await world.clock.advance(ms);
        await quiet();
      },
    });
  } finally {
    await hunt.stop();
  }
}
