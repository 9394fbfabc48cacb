import { existsSync } from "node:fs";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import type { Logger } from "../../lib/observe/mod.ts";
import { openStore, type Store } from "../../lib/store/mod.ts";
import type { Arrivals } from "./arrivals.ts";
import type { Commits } from "./commits.ts";
import type { Dice } from "./dice.ts";
import { type SimEngine, startEngine } from "./sim_engine.ts";
import { SimDisk } from "./sim_git.ts";
import type { SimNetwork } from "./sim_network.ts";
import type { Traffic } from "./traffic.ts";
import { MachineClock, type World } from "./world.ts";

/** The world one machine lives in. */
export interface Surroundings {
  readonly world: World;
  readonly network: SimNetwork;
  readonly traffic: Traffic;
  readonly commits: Commits;
  /** Directory for the databases of all machines. */
  readonly directory: string;
  diskOf(host: string): SimDisk | undefined;
  logOf(name: string): Logger;
  readonly arrivals: Arrivals;
}

/** What became of a request to a machine: undefined when it died over it. */
export type Maybe<T> = Promise<T | undefined>;

/** Longest wait of a user for an answer, in milliseconds. */
const PATIENCE_MS = 30_000;

/** One server: what survives a kill, and the engine that runs on it at present. */
export class Machine {
  readonly host: string;
  readonly disk = new SimDisk();
  readonly #surroundings: Surroundings;
  readonly #dice: Dice;
  readonly #bootstrap: readonly string[];
  readonly #log: Logger;
  #skewMs: number;
  #starts = 0;
  #store: Store | undefined;
  #clock: MachineClock | undefined;
  #engine: SimEngine | undefined;

  constructor(
    host: string,
    surroundings: Surroundings,
    dice: Dice,
    options: { readonly skewMs: number; readonly bootstrap: readonly string[] },
  ) {
    this.host = host;
    this.#surroundings = surroundings;
    this.#dice = dice;
    this.#skewMs = options.skewMs;
    this.#bootstrap = options.bootstrap;
    this.#log = surroundings.logOf(host);
  }

  /** False from a kill until the machine answers again. */
  get isUp(): boolean {
    return this.#engine !== undefined;
  }

  /** The hosts its operator named. */
  get bootstrap(): readonly string[] {
    return this.#bootstrap;
  }

  /** The database, for looking at it from outside. Only while the machine is on. */
  get store(): Store {
    return this.#store!;
  }

  /** The engine that runs, for looking at it. */
  get engine(): SimEngine | undefined {
    return this.#engine;
  }

  /** Switches the machine on; resolves when it answers requests. */
  async start(): Promise<void> {
    const { world, network, traffic, commits, diskOf } = this.#surroundings;
    const clock = this.#clock = new MachineClock(world, this.#skewMs);
    this.#starts++;
    const store = this.#store = await world.activity.watch(openStore({
      location: this.#database(),
      backend: "libsql",
      clock,
      limits: { defaultFilterLimit: 500, maxFilterLimit: 5_000 },
      log: this.#log,
    }));
    this.#surroundings.arrivals.follow(store);
    const engine = await startEngine({
      host: this.host,
      clock,
      random: this.#dice.fork(),
      store,
      disk: this.disk,
      bootstrap: this.#bootstrap,
      world,
      network,
      traffic,
      commits,
      diskOf,
      log: this.#log,
      isDead: () => this.#clock !== clock,
    });
    if (this.#clock !== clock) return;
    this.#engine = engine;
    network.up(this.host, engine);
    this.#log.info("UP");
  }

  /** Cuts the power: what is not on disk is gone. */
  kill(): void {
    const store = this.#store;
    if (!store) return;
    this.#log.info("KILLED");
    this.#surroundings.network.down(this.host);
    this.#clock?.stop();
    this.#clock = undefined;
    this.#engine = undefined;
    this.#store = undefined;
    const [from, to] = [this.#database(), this.#database(this.#starts + 1)];
    Deno.copyFileSync(from, to);
    if (existsSync(`${from}-wal`)) Deno.copyFileSync(`${from}-wal`, `${to}-wal`);
    void store.close().catch(() => {});
  }

  /** Ends the run. */
  discard(): void {
    this.#clock?.stop();
    const store = this.#store;
    this.#clock = this.#engine = this.#store = undefined;
    void store?.close().catch(() => {});
  }

  /** Sets the wall clock. */
  skew(ms: number): void {
    this.#log.info("CLOCK SET", { ms });
    this.#skewMs = ms;
    this.#clock?.skew(ms);
  }

  /** Sends an event as a client does: whether it was accepted. */
  async submit(event: NostrEvent): Maybe<boolean> {
    const accepted = await this.#ask((engine) => engine.submit(event));
    this.#log.info("SUBMITTED", { kind: event.kind, id: event.id.slice(0, 8), accepted });
    return accepted;
  }

  /** Pushes as a git client does: whether it was accepted. */
  async push(
    repository: { readonly owner: string; readonly identifier: string },
    refs: ReadonlyMap<string, string>,
  ): Maybe<boolean> {
    const accepted = await this.#ask((engine) => engine.push(repository, refs));
    const { owner, identifier } = repository;
    this.#log.info("PUSHED", { owner: owner.slice(0, 8), identifier, refs: [...refs].join(" "), accepted });
    return accepted;
  }

  async #ask<T>(work: (engine: SimEngine) => Promise<T>): Maybe<T> {
    const { world } = this.#surroundings;
    const engine = this.#engine;
    if (!engine) throw new Error("the machine is off");
    const answer = Promise.withResolvers<T | undefined>();
    const takeBack = world.after(PATIENCE_MS, () => answer.resolve(undefined));
    work(engine).then(answer.resolve, answer.reject);
    return await answer.promise.finally(takeBack);
  }

  #database(start = this.#starts): string {
    return `${this.#surroundings.directory}/${this.host}.${start}.db`;
  }
}
