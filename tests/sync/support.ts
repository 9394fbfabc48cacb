import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import type { Filter, NostrEvent } from "../../lib/nostr/mod.ts";
import type { SyncGroup } from "../../lib/observe/mod.ts";
import {
  classifyFailure,
  literalProblem,
  NaughtyList,
  OwnAddresses,
  relayUrlsOf,
} from "../../lib/outgoing/mod.ts";
import { openStore, type WaitingAnnouncement } from "../../lib/store/mod.ts";
import {
  type Inspection,
  type RelayInspection,
  startSync,
  type SyncEngine,
  type SyncParts,
  type SyncSettings,
  syncSettings,
} from "../../lib/sync/mod.ts";
import type { Random } from "../../lib/world/mod.ts";
import { RecordingLog } from "../observe/recording_log.ts";
import { event, key, NOW_MS } from "../store/fixtures.ts";
import { silentLog } from "../support/silent_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { ScriptedWorld } from "./scripted_link.ts";

/** Everything default, as an operator without options has it. */
export const SETTINGS: SyncSettings = syncSettings({
  test: false,
  syncBootstrapRelayUrl: [],
  syncMaxRelays: 200,
  syncBaseBackoffSecs: 5,
  syncMaxBackoffSecs: 3600,
  syncDisconnectCheckIntervalSecs: 60,
  syncDisableNegentropy: false,
  syncEoseTimeoutSecs: 30,
  syncPaginationThreshold: 75,
  syncMaxEventBytes: 1_048_576,
  maxEventFutureSecs: 900,
  naughtyListExpirationHours: 12,
});

/** The same bytes for the same seed. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return { bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff) };
}

/** Counts what sync reports. */
export class CountingMetrics implements SyncGroup {
  readonly counts = new Map<string, number>();
  attempt = (relay: string, result: string) => this.#count(`attempt ${result} ${relay}`);
  synced = () => this.#count("synced");
  processed = (result: string) => this.#count(`processed ${result}`);
  batch = (method: string, result: string) => this.#count(`batch ${method} ${result}`);
  negentropy = (result: string) => this.#count(`negentropy ${result}`);
  redundantIds = (count: number) => this.#count("redundant", count);
  historicDuration = () => this.#count("historic");
  stalledSubscription = () => this.#count("stalled");
  consolidation = (result: string) => this.#count(`consolidation ${result}`);
  droppedFrame = (reason: string) => this.#count(`dropped ${reason}`);
  dailySync = () => this.#count("daily");

  of(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  #count(name: string, by = 1): void {
    this.counts.set(name, this.of(name) + by);
  }
}

/** What a test of the engine works with. */
export interface Rig {
  readonly clock: VirtualClock;
  readonly world: ScriptedWorld;
  readonly store: Awaited<ReturnType<typeof openStore>>;
  readonly sync: SyncEngine;
  readonly metrics: CountingMetrics;
  readonly log: RecordingLog;
  /** Lets everything that is ready run, without time passing. */
  turn(): Promise<void>;
  relay(url: string): RelayInspection;
  status(url: string): string | undefined;
  serve(...events: NostrEvent[]): Promise<void>;
  hold(...events: NostrEvent[]): Promise<void>;
  /** Waits for a condition; fails after a virtual hour. */
  until(condition: (snapshot: Inspection) => boolean): Promise<void>;
}

/** How a rig differs from the usual one. */
export interface RigOptions {
  readonly settings?: Partial<SyncSettings>;
  /** Served before the start. */
  readonly served?: readonly NostrEvent[];
  /** In purgatory before the start. */
  readonly waiting?: readonly NostrEvent[];
  readonly parts?: Partial<SyncParts>;
  readonly naughtyMs?: number;
  /** Prepares peers before the first dial. */
  readonly world?: (world: ScriptedWorld) => void;
}

/** Runs sync on a virtual clock, a real store in memory and scripted peers. */
export async function rig(play: (rig: Rig) => Promise<void>, options: RigOptions = {}): Promise<void> {
  const clock = new VirtualClock(NOW_MS);
  const limits = { defaultFilterLimit: 500, maxFilterLimit: 5_000 };
  const store = await openStore({ location: "", backend: "memory", clock, limits, log: silentLog });
  const log = new RecordingLog();
  const metrics = new CountingMetrics();
  const world = new ScriptedWorld(clock);
  options.world?.(world);
  const own = new OwnAddresses({ domain: "own.example", aliases: [], bindAddresses: ["127.0.0.1:7334"] });
  const serve = async (...events: NostrEvent[]) =>
    void await store.commit({ insertEvents: events.map((event) => ({ event })) });
  const hold = async (...events: NostrEvent[]) =>
    void await store.commit({ putAnnouncements: events.map((held) => waiting(held)) });
  if (options.served) await serve(...options.served);
  if (options.waiting) await hold(...options.waiting);
  const sync = startSync({
    settings: { ...SETTINGS, ...options.settings },
    store,
    openLink: world.openLink,
    isOwn: (url) => own.has(url),
    literalProblem: (url) => literalProblem(url, false),
    relayUrlsOf,
    naughty: new NaughtyList({
      clock,
      lifetimeMs: options.naughtyMs ?? SETTINGS.naughtyMs,
      log: silentLog,
      subject: "relay",
    }),
    classify: classifyFailure,
    clock,
    random: seededRandom(1),
    log,
    metrics,
    ...options.parts,
  });
  const turn = async () => {
    for (let count = 0; count < 4; count++) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  const relay = (url: string) => {
    const found = sync.snapshot().relays.get(url);
    assert.ok(found, `${url} is not tracked`);
    return found;
  };
  try {
    // Reading the database takes turns of its own, however fast the clock is.
    while (!sync.snapshot().isLoaded) await turn();
    await turn();
    await play({
      clock,
      world,
      store,
      sync,
      metrics,
      log,
      turn,
      relay,
      status: (url) => sync.snapshot().relays.get(url)?.status,
      serve: async (...events) => {
        await serve(...events);
        await turn();
      },
      hold: async (...events) => {
        await hold(...events);
        await turn();
      },
      until: async (condition) => {
        const held = sync.changed(condition, 3_600_000);
        let isDone = false;
        void held.then(() => isDone = true);
        for (await turn(); !isDone; await turn()) await clock.advance(1_000);
        assert.ok(await held, "the condition never held");
      },
    });
  } finally {
    const stopped = sync.stop();
    await clock.advance(10_000);
    await stopped;
    await store.close();
  }
}

/** An announcement that names relays; unsigned, the store does not ask. */
export function announcement(
  owner: number,
  identifier: string,
  relays: readonly string[],
  fields: Partial<NostrEvent> = {},
): NostrEvent {
  return event({
    kind: 30617,
    pubkey: key(owner),
    tags: [["d", identifier], ["relays", ...relays]],
    ...fields,
  });
}

/** The coordinate of a repository. */
export function ref(owner: number, identifier: string): string {
  return `30617:${key(owner)}:${identifier}`;
}

/** An issue of a repository. */
export function issue(owner: number, identifier: string, content = ""): NostrEvent {
  return event({ kind: 1621, pubkey: key(99), tags: [["a", ref(owner, identifier)]], content });
}

/** An announcement as purgatory holds it. */
export function waiting(held: NostrEvent): WaitingAnnouncement {
  return {
    event: held,
    owner: held.pubkey,
    identifier: held.tags.find(([name]) => name === "d")?.[1] ?? "",
    phase: "active",
    source: "sync",
    firstEnteredAt: NOW_MS,
    enteredAt: NOW_MS,
    deadlineAt: NOW_MS + 1_800_000,
  };
}

/** A filter as a short text: `d:foo`, `a:1,e:2 since 5`, with `ann` for layer 1. */
export function short(filter: Filter): string {
  const tags = [...filter.tags].map(([name, values]) =>
    `${name}:${values.map((value) => value.replace(/^30617:0+/, "")).join("+")}`
  );
  const what = filter.kinds?.includes(30617) && tags.length === 0 ? ["ann"] : tags;
  return what.join(",") + (filter.since === undefined ? "" : ` since ${filter.since}`);
}

/** Filters as sorted short texts. */
export function shorts(filters: readonly Filter[]): string[] {
  return filters.map(short).sort();
}
