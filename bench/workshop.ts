import { git } from "../tests/support/git_client.ts";
import { GitPair, type GitSite } from "./git_site.ts";
import type { PeerChoice } from "./peer_choice.ts";
import { openRelaySite, type RelaySite } from "./relay_site.ts";
import type { Bench } from "./row.ts";
import { provide, type SampleName, sampleOf } from "./samples.ts";
import { openSyncSite, type SyncSite } from "./sync_site.ts";

/** What a run of the bench was asked for. */
export interface WorkshopOptions {
  /** Everything that is made, apart from samples, goes below it and goes with it. */
  readonly directory: string;
  /** Where generated repositories stay for later runs. */
  readonly cache: string;
  readonly quick: boolean;
  readonly syncEvents: number;
  readonly peer: PeerChoice;
  /** Told of what goes wrong at the end. */
  readonly say: (text: string) => void;
}

/** Starts sites on demand and ends everything that was started. */
export class Workshop implements Bench {
  readonly #options: WorkshopOptions;
  #relaySite: Promise<RelaySite> | undefined;
  #syncSite: Promise<SyncSite> | undefined;
  readonly #pairs = new Map<string, Promise<GitPair>>();
  readonly #gitSites = new Map<string, Promise<GitSite>>();
  #given: Promise<string> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: WorkshopOptions) {
    this.#options = options;
  }

  get quick(): boolean {
    return this.#options.quick;
  }

  get syncEvents(): number {
    return this.#options.syncEvents;
  }

  relaySite(): Promise<RelaySite> {
    return this.#relaySite ??= this.newDirectory("relay").then((path) => openRelaySite(path));
  }

  syncSite(): Promise<SyncSite> {
    return this.#syncSite ??= this.newDirectory("sync").then((path) => openSyncSite(path, this.syncEvents));
  }

  gitSite(sample: SampleName = "small"): Promise<GitSite> {
    return this.#hosted(...USUAL, sample);
  }

  coldSite(sample: SampleName): Promise<GitSite> {
    return this.#hosted(...COLD, sample);
  }

  async emptySite(sample: SampleName, identifier: string): Promise<GitSite> {
    const source = await this.#source(sample);
    // Servers of their own: memory that earlier rows have made them take would hide what a push takes.
    return await (await this.#pair(`empty-${sample}`, {})).expect(identifier, source);
  }

  async newDirectory(name: string): Promise<string> {
    const path = `${this.#options.directory}/${name}`;
    await Deno.mkdir(path, { recursive: true });
    return path;
  }

  /** Ends what was started; safe to call again. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    for (const site of [this.#relaySite, this.#syncSite, ...this.#pairs.values()]) {
      await site?.then((opened) => opened.close()).catch((error) => this.#options.say(`clean-up: ${error}`));
    }
    await Deno.remove(this.#options.directory, { recursive: true });
  }

  #pair(name: string, env: Readonly<Record<string, string>>): Promise<GitPair> {
    return once(
      this.#pairs,
      name,
      async () => await GitPair.open(await this.newDirectory(name), this.#options.peer, env),
    );
  }

  #hosted(pair: string, env: Readonly<Record<string, string>>, sample: SampleName): Promise<GitSite> {
    return once(this.#gitSites, `${pair}/${sample}`, async () => {
      const opened = await this.#pair(pair, env);
      const { peer } = this.#options;
      if (peer.kind !== "url" || !GIVEN.has(sample)) {
        return await opened.host(sample, await this.#source(sample));
      }
      return await opened.host(sample, await this.#givenBy(peer.url), { url: peer.url, name: peer.url });
    });
  }

  #source(sample: SampleName): Promise<string> {
    return provide(sampleOf(sample, this.quick), this.#options.cache);
  }

  /** A copy of the repository a peer elsewhere was named with: it takes the place of generated ones. */
  #givenBy(url: string): Promise<string> {
    return this.#given ??= this.newDirectory("given").then(async (path) => {
      await git(path, "clone", "-q", "--bare", url, "copy.git");
      return `${path}/copy.git`;
    });
  }
}

/** Samples whose place a repository of a peer elsewhere takes. */
const GIVEN: ReadonlySet<SampleName> = new Set(["small", "big"]);
/** Name and environment of the pair whose server is configured as it comes. */
const USUAL = ["git", {}] as const;
/** Of the one whose server keeps no packs for later clones. */
const COLD = ["cold", { NGIT_PACK_CACHE_MB: "0" }] as const;

function once<T>(map: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const made = map.get(key) ?? make();
  map.set(key, made);
  return made;
}
