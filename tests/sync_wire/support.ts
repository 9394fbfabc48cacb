import type { Filter, NostrEvent } from "../../lib/nostr/mod.ts";
import type { SyncGroup } from "../../lib/observe/mod.ts";
import { newBatchProgress, newPeerMemory } from "../../lib/sync/fresh.ts";
import { createOpenLink, type LinkParts } from "../../lib/sync/link.ts";
import type {
  BatchProgress,
  HistoryRequest,
  LinkEnd,
  PeerLink,
  PeerMemory,
  SyncSettings,
} from "../../lib/sync/ports.ts";
import type { Random } from "../../lib/world/mod.ts";
import { RecordingLog } from "../observe/recording_log.ts";
import { unsigned } from "../relay/support.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { filter, itemsOf, NOW, type PeerRules, ScriptedPeer } from "./scripted_peer.ts";

export { filter, NOW, type PeerRules, ScriptedPeer, unsigned, VirtualClock };

export const URL = "wss://peer.example";

/** The filter of announcements, and the one of things that name one repository. */
export const ANNOUNCEMENTS = filter({ kinds: [30617, 10317] });
export const REPO = "30617:" + "b".repeat(64) + ":repo";
export const TAGGED = filter({ "#a": [REPO] });

/** `count` comments on the repository, `step` seconds apart, the newest one `age` seconds old. */
export function comments(count: number, step = 10, age = 1_000): NostrEvent[] {
  return Array.from(
    { length: count },
    (_, index) => unsigned({ kind: 1111, tags: [["a", REPO]], created_at: NOW - age - index * step }),
  );
}

/** The settings of production. */
export const SETTINGS: SyncSettings = {
  selfBatchMs: 5_000,
  purgatoryDebounceMs: 100,
  purgatoryTimerMs: 60_000,
  doubleCheckMs: 6_000,
  quickReconnectMs: 900_000,
  overlapSecs: 900,
  maxSubscriptions: 70,
  consolidationWaitMs: 30_000,
  consolidationEveryMs: 60_000,
  valuesPerFilter: 100,
  idsPerFilter: 300,
  pageThreshold: 75,
  pageLimit: 500,
  dailyMinMs: 82_800_000,
  dailyMaxMs: 90_000_000,
  dailySpreadMs: 1_800_000,
  baseBackoffMs: 5_000,
  maxBackoffMs: 3_600_000,
  connectTimeoutMs: 5_000,
  deadAfterMs: 86_400_000,
  deadRetryMs: 86_400_000,
  cooldownMs: 65_000,
  stableAfterMs: 300_000,
  naughtyMs: 43_200_000,
  negentropyFirstReplyMs: 10_000,
  negentropyReplyMs: 30_000,
  silenceMs: 30_000,
  pageCapMs: 600_000,
  keepAliveIdleMs: 60_000,
  keepAliveAnswerMs: 20_000,
  bufferedEvents: 1_000,
  maxEventBytes: 1 << 20,
  maxFutureSecs: 1_800,
  disableNegentropy: false,
  disconnectCheckMs: 60_000,
  maxRelays: 200,
  bootstrapRelays: [],
  firstRepairMs: 600_000,
  maxRepairMs: 21_600_000,
};

/** Counts by name and labels. */
export class CountingSync implements SyncGroup {
  readonly counts: Record<string, number> = {};
  #add(key: string, count = 1): void {
    this.counts[key] = (this.counts[key] ?? 0) + count;
  }
  attempt(): void {}
  batch(): void {}
  historicDuration(): void {}
  consolidation(): void {}
  synced(): void {
    this.#add("synced");
  }
  processed(result: string): void {
    this.#add(`processed ${result}`);
  }
  negentropy(result: string): void {
    this.#add(`negentropy ${result}`);
  }
  redundantIds(count: number): void {
    this.#add("redundant", count);
  }
  stalledSubscription(): void {
    this.#add("stalled");
  }
  droppedFrame(reason: string): void {
    this.#add(`dropped ${reason}`);
  }
  dailySync(): void {
    this.#add("daily");
  }
}

/** A deterministic source of bytes. */
export function seededRandom(seed = 1): Random {
  let state = seed;
  return {
    bytes: (length) =>
      Uint8Array.from({ length }, () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 16),
  };
}

/** What is remembered of a peer at first. */
export function newMemory(fields: Partial<PeerMemory> = {}): PeerMemory {
  return { ...newPeerMemory(), ...fields };
}

/** What a test may set. */
export interface StageOptions {
  readonly events?: readonly NostrEvent[];
  /** Held here before anything is fetched. */
  readonly held?: readonly NostrEvent[];
  /** Ids that must not be fetched although they are not held. */
  readonly unwanted?: readonly string[];
  readonly rules?: PeerRules;
  readonly settings?: Partial<SyncSettings>;
  readonly memory?: Partial<PeerMemory>;
  readonly admit?: (
    event: NostrEvent,
  ) => Promise<Awaited<ReturnType<LinkParts["admit"]>>["result"] | undefined>;
  readonly store?: LinkParts["store"];
}

/** A link to a scripted peer, on a virtual clock. */
export class Stage {
  readonly clock = new VirtualClock(NOW * 1000);
  readonly peer: ScriptedPeer;
  readonly memory: PeerMemory;
  readonly metrics = new CountingSync();
  readonly log = new RecordingLog();
  /** What is held, by id; grows with what is admitted. */
  readonly held = new Map<string, NostrEvent>();
  /** Every event admitted, in order. */
  readonly admitted: NostrEvent[] = [];
  readonly ends: { reason: LinkEnd; text: string }[] = [];
  rateLimits = 0;
  link!: PeerLink;
  readonly #open: ReturnType<typeof createOpenLink>;
  readonly abort = new AbortController();

  constructor(options: StageOptions = {}) {
    const { events, held = [], unwanted = [], rules, settings, memory, admit, store } = options;
    this.peer = new ScriptedPeer(this.clock, events, rules);
    this.memory = newMemory(memory);
    for (const event of held) this.held.set(event.id, event);
    this.#open = createOpenLink({
      network: this.peer.network,
      secretKey: new Uint8Array(32).fill(7),
      settings: { ...SETTINGS, ...settings },
      clock: this.clock,
      random: seededRandom(),
      log: this.log,
      metrics: this.metrics,
      store: store ?? {
        heldItems: (one) => Promise.resolve(itemsOf([...this.held.values()], one)),
        watch: () => () => {},
        unwanted: (ids) =>
          Promise.resolve(new Set(ids.filter((id) => this.held.has(id) || unwanted.includes(id)))),
      },
      admit: async (event) => {
        this.admitted.push(event);
        const special = await admit?.(event);
        if (special) return { result: special };
        if (this.held.has(event.id)) return { result: "duplicate" };
        this.held.set(event.id, event);
        return { result: "saved" };
      },
    });
  }

  /** Connects; the first REQs may leave when this resolves. */
  async connect(): Promise<this> {
    const opened = await this.#open({
      url: URL,
      trusted: false,
      memory: this.memory,
      signal: this.abort.signal,
      listener: {
        ended: (reason, text) => void this.ends.push({ reason, text }),
        rateLimited: () => void this.rateLimits++,
      },
    });
    if (!opened.ok) throw new Error(opened.text);
    this.link = opened.link;
    await this.clock.advance(2);
    return this;
  }

  /** Starts a history; the outcome arrives in `result`. */
  history(filters: readonly Filter[], options: Partial<HistoryRequest> = {}): RunningHistory {
    const progress = newBatchProgress();
    const running: RunningHistory = { progress, outcome: undefined };
    void this.link.history({ progress, filters, allowNegentropy: true, fallback: () => filters, ...options })
      .then((outcome) => running.outcome = outcome);
    return running;
  }

  /** Runs a history by REQ to its end. */
  async page(filters: readonly Filter[], maxMs = 120_000): Promise<NonNullable<RunningHistory["outcome"]>> {
    return await this.finish(this.history(filters, { allowNegentropy: false }), maxMs);
  }

  /** Lets time pass until the history has ended. */
  async finish(running: RunningHistory, maxMs = 120_000): Promise<NonNullable<RunningHistory["outcome"]>> {
    await this.until(() => running.outcome !== undefined, maxMs);
    return running.outcome!;
  }

  /** Lets `ms` of virtual time pass, after what is under way has settled. */
  async pass(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    await this.clock.advance(ms);
  }

  /** Lets at most `maxMs` of virtual time pass until `condition` holds. */
  async until(condition: () => boolean, maxMs = 120_000): Promise<void> {
    const end = this.clock.monotonic() + maxMs;
    for (let step = 1; !condition(); step = Math.min(step * 1.5, 500)) {
      if (this.clock.monotonic() >= end) throw new Error(`not reached within ${maxMs} virtual ms`);
      await this.pass(step);
    }
  }

  /** Ids held of these events. */
  missing(events: readonly NostrEvent[]): number {
    return events.filter(({ id }) => !this.held.has(id)).length;
  }
}

/** A history and, once it has ended, its outcome. */
export interface RunningHistory {
  readonly progress: BatchProgress;
  outcome: Awaited<ReturnType<PeerLink["history"]>> | undefined;
}

/** A connected stage. */
export function stage(options: StageOptions = {}): Promise<Stage> {
  return new Stage(options).connect();
}
