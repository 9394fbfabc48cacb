import type { FetchOutcome, FetchRequest, RemoteGit } from "../../lib/hunt/mod.ts";
import { decodeNpub } from "../../lib/nostr/mod.ts";
import type { Clock } from "../../lib/world/mod.ts";
import type { Commits } from "./commits.ts";
import type { SimDisk } from "./sim_git.ts";
import type { SimNetwork } from "./sim_network.ts";
import type { Traffic } from "./traffic.ts";

/** What fetching from other machines needs. */
export interface SimRemoteParts {
  /** The machine that fetches. */
  readonly host: string;
  readonly disk: SimDisk;
  /** The disk of the machine of that name. */
  readonly diskOf: (host: string) => SimDisk | undefined;
  readonly commits: Commits;
  readonly network: SimNetwork;
  readonly traffic: Traffic;
  readonly clock: Clock;
}

/** How long an unanswered fetch takes, in milliseconds. */
const TIMEOUT_MS = 60_000;
/** What one commit with its trees and blobs weighs on the wire, in bytes. */
const COMMIT_BYTES = 700;

/** Git fetches between simulated machines: everything reachable comes, or nothing. */
export class SimRemote implements RemoteGit {
  readonly #parts: SimRemoteParts;

  constructor(parts: SimRemoteParts) {
    this.#parts = parts;
  }

  /** See `RemoteGit.fetch`. */
  async fetch({ url, target, oids, signal }: FetchRequest): Promise<FetchOutcome> {
    const { host, disk, diskOf, commits, network, clock, traffic } = this.#parts;
    const { host: remote, pathname } = new URL(url);
    const reached = network.reach(host, remote);
    if (reached === "hole") {
      await clock.sleep(TIMEOUT_MS, signal);
      return outcome("timeout", oids, []);
    }
    await clock.sleep(8 * network.latency(host, remote), signal);
    if (signal.aborted) return outcome("local", oids, []);
    if (network.reach(host, remote) !== "open") return outcome("network", oids, []);
    const [, npub, name] = /^\/([^/]+)\/(.+)\.git$/.exec(pathname) ?? [];
    const owner = npub === undefined ? undefined : decodeNpub(npub);
    const source = owner === undefined || name === undefined
      ? undefined
      : diskOf(remote)?.find({ owner, identifier: decodeURIComponent(name) });
    if (!source) return outcome("refused", oids, []);
    const obtained = oids.filter((oid) => commits.closure([oid]).isSubsetOf(source.objects));
    const own = disk.find(target);
    if (!own || obtained.length === 0) return outcome("nothing", oids, []);
    const before = own.objects.size;
    for (const oid of commits.closure(obtained)) own.objects.add(oid);
    const bytes = (own.objects.size - before) * COMMIT_BYTES;
    traffic.add("git fetch", bytes);
    return { ...outcome("fetched", oids, obtained), bytes };
  }
}

function outcome(
  result: FetchOutcome["result"],
  asked: readonly string[],
  obtained: readonly string[],
): FetchOutcome {
  const have = new Set(obtained);
  const absent = result === "fetched" || result === "nothing" ? asked.filter((oid) => !have.has(oid)) : [];
  return { result, obtained: have, absent: new Set(absent), text: result, bytes: 0 };
}
