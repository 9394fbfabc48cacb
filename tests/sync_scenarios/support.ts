import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { NostrEvent } from "../../lib/nostr/mod.ts";
import type { RelayInspection, SyncEngine } from "../../lib/sync/mod.ts";
import { MemoryNetwork } from "../support/memory_network.ts";
import type { Road } from "../support/road.ts";
import { ScriptedPeer } from "../support/scripted_peer.ts";
import { SteppingClock } from "../support/stepping_clock.ts";
import { addressOf, announcement, type AnnouncementDraft, Author } from "../support/sync_events.ts";
import { drive, openWorld, type World, type WorldOptions } from "../support/sync_world.ts";
import type { Asked, WireLog } from "../support/wire_log.ts";
import { fastTempDirectory } from "../support/fast_directory.ts";

/** A scripted relay somewhere in the network. */
export interface Elsewhere {
  readonly url: string;
  readonly peer: ScriptedPeer;
  readonly log: WireLog;
  readonly road: Road;
}

/** A repository that is served here. */
export interface Hosted {
  readonly owner: Author;
  readonly identifier: string;
  /** `30617:<owner>:<identifier>`. */
  readonly address: string;
  readonly announcement: NostrEvent;
}

/** Connection status as the inspector shows it; "None" when the relay is not tracked. */
export type Status = RelayInspection["status"];

/** How a scenario differs from the usual one. */
export interface StoryOptions extends WorldOptions {
  /** Events of peers that may be neither held nor counted as dropped. */
  readonly mayVanish?: (event: NostrEvent) => boolean;
  /** Relays may be in any state at the end. */
  readonly endsUnsettled?: boolean;
}

const REFUSED = { fault: "network", text: "Connection refused (os error 111)" } as const;

/** One scenario: the relay under test, its surroundings, and what to do with them. */
export class Story {
  readonly clock = new SteppingClock();
  readonly network = new MemoryNetwork(this.clock);
  readonly directory: string;
  readonly #options: StoryOptions;
  #world: World | undefined;
  #engine: SyncEngine | undefined;

  constructor(directory: string, options: StoryOptions) {
    this.directory = directory;
    this.#options = options;
  }

  get world(): World {
    return this.#world!;
  }

  get engine(): SyncEngine {
    return this.#engine!;
  }

  /** Wall time in seconds. */
  get seconds(): number {
    return Math.floor(this.clock.now() / 1_000);
  }

  /** Opens the relay under test, on the data of the run before if there was one. */
  async open(): Promise<void> {
    this.#world = await openWorld(this, this.#options);
  }

  /** Begins to sync. */
  start(): void {
    this.#engine = this.world.start();
  }

  /** Ends the run; afterwards nothing of it is left. */
  async stop(): Promise<void> {
    await this.world.stop();
    this.#engine = undefined;
    strictEqual(this.network.openSockets(), 0, "sockets are left after the stop");
  }

  /** The relay under test stops and starts again on its data. */
  async restart(): Promise<void> {
    await this.stop();
    await this.open();
    this.start();
  }

  /** Waits for real work while virtual time passes. */
  async finish<T>(work: Promise<T>): Promise<T> {
    return await drive(this.clock, this.world.busy.during(work), 60_000);
  }

  /** Puts a relay at `wss://<name>.example`. */
  peer(name: string): Elsewhere {
    const url = `wss://${name}.example`;
    const peer = new ScriptedPeer(this.clock);
    this.network.add(url, peer);
    return { url, peer, log: this.network.log(url), road: this.network.road(url) };
  }

  /** Makes the relay under test serve a repository, as if its git data had come. */
  async repo(
    identifier: string,
    draft: AnnouncementDraft & { readonly owner?: Author } = {},
  ): Promise<Hosted> {
    const owner = draft.owner ?? new Author();
    const event = announcement(owner, identifier, draft);
    await this.world.store.commit({ insertEvents: [{ event, hosted: true }] });
    return { owner, identifier, address: addressOf(owner, identifier), announcement: event };
  }

  /** A user of ours sends an event. */
  async submit(event: NostrEvent): Promise<string> {
    const { accepted, message } = await this.world.intake.admit(event, "client");
    ok(accepted, message);
    return message;
  }

  /** The peer and the way to it are gone until {@link restore}. */
  cut({ url, road }: Elsewhere): void {
    road.failure = REFUSED;
    this.network.cut(url);
  }

  restore({ road }: Elsewhere): void {
    road.failure = undefined;
  }

  status({ url }: Pick<Elsewhere, "url">): Status {
    return this.inspect({ url })?.status ?? "None";
  }

  /** What the inspector shows of a relay; undefined when it is not tracked. */
  inspect({ url }: Pick<Elsewhere, "url">): RelayInspection | undefined {
    return this.engine.snapshot().relays.get(url);
  }

  /** Lets virtual time pass until `condition` holds. */
  async until(what: string, condition: () => boolean | Promise<boolean>, ms = 120_000): Promise<void> {
    if (await this.clock.until(condition, ms)) return;
    throw new Error(`not within ${ms} virtual ms: ${what}\n${this.describe()}`);
  }

  /** Waits until the history of a peer is complete. */
  async connected(peer: Elsewhere, ms = 120_000): Promise<void> {
    await this.until(`${peer.url} Connected`, () => this.status(peer) === "Connected", ms);
  }

  async degraded(peer: Elsewhere, ms = 300_000): Promise<void> {
    await this.until(`${peer.url} ConnectedDegraded`, () => this.status(peer) === "ConnectedDegraded", ms);
  }

  /** True when all are served. */
  async has(...events: readonly NostrEvent[]): Promise<boolean> {
    for (const { id } of events) if (!await this.world.store.has(id)) return false;
    return true;
  }

  /** Waits until all are served. */
  async arrive(events: readonly NostrEvent[], ms = 120_000): Promise<void> {
    const missing = [...events];
    const areServed = async () => {
      while (missing.length > 0 && await this.has(missing.at(-1)!)) missing.pop();
      return missing.length === 0;
    };
    await this.until(`${events.length} events served`, areServed, ms);
  }

  /** Waits until an event waits in purgatory. */
  async held(event: NostrEvent, ms = 120_000): Promise<void> {
    const isHeld = async () => await this.world.store.waitingKind(event.id) !== undefined;
    await this.until(`${event.kind} in purgatory`, isHeld, ms);
  }

  /** What the inspector and the wire say, for messages of failed tests. */
  describe(): string {
    const relays = this.#engine
      ? [...this.engine.snapshot().relays.values()].map((relay) =>
        JSON.stringify(relay, showSets).slice(0, 900)
      )
      : [];
    const wires = this.network.urls.slice(0, 3).map((url) => `${url}\n${this.network.log(url).tail()}`);
    const lines = this.#world?.log.lines.filter((line) => !line.startsWith("trace")).slice(-15) ?? [];
    return [...relays, ...wires, ...lines].join("\n").slice(0, 6_000);
  }

  /** What holds after every scenario. */
  async check(): Promise<void> {
    if (!this.#options.endsUnsettled) {
      await this.until("every relay settled", () => this.#isSettled(), 600_000);
      const gauges = this.engine.relayGauges();
      const live = gauges.filter(({ connection }) => connection >= 2 && connection <= 4).length;
      strictEqual(live, this.network.openSockets(), "connected gauge against live sockets");
    }
    strictEqual(this.world.counts.of("redundant ids"), 0);
    for (const url of this.network.urls) {
      const most = this.network.log(url).mostOpen();
      ok(most <= this.world.settings.maxSubscriptions, `${most} subscriptions were open at ${url}`);
    }
    await this.#checkDelivered();
  }

  #isSettled(): boolean {
    const relays = [...this.engine.snapshot().relays.values()];
    return relays.every(({ status, batches }) => !MOVING.has(status) && batches.length === 0);
  }

  /** Whatever a peer delivered is in the database, in purgatory, remembered as unwanted, or counted. */
  async #checkDelivered(): Promise<void> {
    const { store, counts } = this.world;
    const delivered = new Map<string, NostrEvent>();
    for (const url of this.network.urls) {
      if (this.network.road(url).losesTheirs) continue;
      for (const { message } of this.network.log(url).of("peer", "EVENT")) {
        const event = message[2] as NostrEvent | undefined;
        if (event && !this.#options.mayVanish?.(event)) delivered.set(event.id, event);
      }
    }
    const ids = [...delivered.keys()];
    const accounted = await store.unwanted(ids);
    const missing = ids.filter((id) => !accounted.has(id));
    const counted = counts.total("dropped ") + counts.of("processed invalid");
    const kinds = missing.slice(0, 5).map((id) => delivered.get(id)?.kind);
    ok(
      missing.length <= counted,
      `${missing.length} events vanished, ${counted} were counted: kinds ${kinds}`,
    );
  }
}

const MOVING: ReadonlySet<string> = new Set(["Syncing", "Connecting", "Disconnecting"]);

function showSets(key: string, value: unknown): unknown {
  if (key === "roots" || key === "repos") return `${[...(value as Iterable<unknown>)].length}`;
  return value instanceof Set || value instanceof Map ? [...value] : value;
}

/** Time in which everything that follows from a connect alone is asked for; discoveries come later. */
const AT_ONCE_MS = 90;

/** History asked for right after a connect: what is discovered later is asked for without since. */
export function atOnce(log: WireLog, connection: number): readonly Asked[] {
  const all = log.historic().filter((asked) => asked.connection === connection);
  return all.filter(({ at }) => at <= all[0]!.at + AT_ONCE_MS);
}

/** Registers a scenario as a test: plays it, checks what always holds, stops, and looks for leftovers. */
export function scenario(
  name: string,
  play: (story: Story) => Promise<void>,
  options: StoryOptions = {},
): void {
  Deno.test(name, async () => {
    const directory = await fastTempDirectory("ngit-grasp-sync-");
    const story = new Story(directory, options);
    try {
      await story.open();
      await play(story);
      await story.check();
      await story.stop();
      // What was on its way to peers arrives.
      await story.clock.advance(1_000);
      deepStrictEqual(story.clock.sleeping, 0, "timers are left after the stop");
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

/** Wall seconds of a moment on the virtual clock's monotonic scale. */
export function wallSeconds(monotonicMs: number): number {
  return Math.floor((1_800_000_000_000 + monotonicMs) / 1_000);
}
