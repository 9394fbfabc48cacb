import type { Logger, SyncGroup } from "../observe/mod.ts";
import type { SyncStore } from "../store/mod.ts";
import type { Clock, Random } from "../world/mod.ts";
import type { PageCaps } from "./history_paging.ts";
import type { HistoricMeter } from "./link_gate.ts";
import type { KeptEvents } from "./link_arrivals.ts";
import type { LinkIntake } from "./link_intake.ts";
import type { LinkWire } from "./link_wire.ts";
import type { ItemRoom } from "../negentropy/mod.ts";
import type { ListedIds } from "./listed_ids.ts";
import type { PeerBounds } from "./peer_budget.ts";
import type { BatchProgress, PeerMemory, SyncSettings } from "./ports.ts";

/** What the historic work of one link shares. */
export interface HistoryContext {
  /** Of the peer, normalised; for logs. */
  readonly url: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: SyncGroup;
  readonly settings: SyncSettings;
  readonly memory: PeerMemory;
  readonly store: Pick<SyncStore, "heldItems" | "unwanted">;
  readonly wire: LinkWire;
  readonly intake: LinkIntake;
  readonly meter: HistoricMeter;
  /** Of our sets. */
  readonly room: ItemRoom;
  /** Of the ids peers list. */
  readonly listed: ItemRoom;
  readonly caps: PageCaps;
  bounds(): PeerBounds;
  /** The peer asked us to slow down; the meter is held when this returns. */
  rateLimited(): void;
  /** The peer has too many subscriptions of ours; false when we cannot do with fewer. */
  tooManySubscriptions(): boolean;
  /** A request got no answer in time. */
  stalled(): void;
  authenticated(): Promise<boolean>;
  /** The peer does not do negentropy; ends all open negotiations. */
  unsupported(why: string): void;
  /** A negotiation got no first answer: the second such occasion is a verdict. */
  timedOut(): void;
  readonly kept: KeptEvents;
  /** An event that was asked for by id turned out to be held, and not only since it was asked for. */
  redundant(id: string): void;
}

/** One history under way. */
export interface HistoryScope {
  readonly context: HistoryContext;
  readonly progress: BatchProgress;
  readonly listed: ListedIds;
  /** Ends the history; its outcome is then `dropped`. */
  readonly signal: AbortSignal;
}
