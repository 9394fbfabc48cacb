import type { NostrEvent } from "../nostr/mod.ts";
import type { Logger, SyncGroup } from "../observe/mod.ts";
import type { Store, SyncStore } from "../store/mod.ts";
import type { Clock, Network, Random } from "../world/mod.ts";
import type { Arrivals, KeptEvents } from "./link_arrivals.ts";
import type { EventResult } from "./link_intake.ts";
import type { ItemRoom } from "../negentropy/mod.ts";
import type { SyncSettings } from "./ports.ts";

/** What links are made of. */
export interface LinkParts {
  readonly network: Network;
  /**
   * Judges one event of a peer: its hash, its signature and everything after. `invalid` is the peer's
   * fault, `failed` is ours; any other answer means that the event was received.
   */
  admit(event: NostrEvent, relay: string): Promise<{ readonly result: EventResult }>;
  readonly store: Pick<SyncStore, "heldItems" | "unwanted"> & Pick<Store, "watch">;
  /** The key of this relay, with which it answers AUTH (NIP-42). */
  readonly secretKey: Uint8Array;
  readonly settings: SyncSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: SyncGroup;
}

/** What all links of one process share. */
export interface SharedParts extends LinkParts {
  /** Of our sets. */
  readonly room: ItemRoom;
  /** Of the ids peers list. */
  readonly listed: ItemRoom;
  /** What peers delivered, whatever became of it. */
  readonly arrivals: Arrivals;
  /** What was stored or began to wait, from wherever it came. */
  readonly kept: KeptEvents;
  /** Logs a warning about a relay once per process. */
  warnOnce(url: string, message: string, reason: string): void;
}
