/** Counts what following other relays does; names and meanings: docs, section sync metrics. */
export interface SyncGroup {
  /** A dial ended. `relay` is a normalised relay URL everywhere here. */
  attempt(relay: string, result: "success" | "failure"): void;
  /** An event was newly stored through sync. */
  synced(): void;
  /** An event of a peer was processed. */
  processed(result: "saved" | "purgatory" | "duplicate" | "rejected" | "invalid" | "failed"): void;
  /** A historic batch ended. */
  batch(method: "negentropy" | "req", result: "complete" | "failed" | "dropped"): void;
  /** A negotiation (NIP-77) ended. */
  negentropy(result: "complete" | "unsupported" | "timeout" | "blocked" | "failed"): void;
  /** Ids asked for although they were held: stays 0. */
  redundantIds(count: number): void;
  /** From the connect to the end of the first history. */
  historicDuration(seconds: number): void;
  stalledSubscription(): void;
  consolidation(result: "done" | "timeout"): void;
  droppedFrame(
    reason: "malformed" | "invalid_event" | "filter" | "subscription" | "size" | "future" | "overload",
  ): void;
  /** Every relay of a daily run has been read again; `at` is the present in ms since the epoch. */
  dailySync(seconds: number, at: number): void;
}

/** Values of one tracked relay, read when metrics are rendered. */
export interface RelayGauges {
  readonly relay: string;
  /** 0 Disconnected, 1 Connecting, 2 Syncing, 3 Connected, 4 ConnectedDegraded, 5 Disconnecting. */
  readonly connection: 0 | 1 | 2 | 3 | 4 | 5;
  /** 1 Healthy, 2 Disconnected, 3 Degraded, 4 Dead, 5 RateLimited. */
  readonly health: 1 | 2 | 3 | 4 | 5;
  readonly failures: number;
  readonly pendingBatches: number;
  readonly subscriptions: number;
  readonly queueDepth: number;
}

/** Counts what happens to refused events that are remembered. */
export interface RejectedGroup {
  /** Events handed back for another look. */
  hotHits(type: RejectedType, count: number): void;
  /** An invalidation removed cold entries and found nothing hot. */
  hotMiss(type: RejectedType): void;
  hotExpired(type: RejectedType, count: number): void;
  coldExpired(type: RejectedType, count: number): void;
  /** Cold entries removed because their reason may be gone. */
  invalidated(type: RejectedType, count: number): void;
}

/** The label `event_type`. */
export type RejectedType = "announcement" | "state";

/** One entry of a naughty list, as metrics show it. */
export interface NaughtyGauge {
  readonly host: string;
  readonly category: NaughtyCategory;
  /** At most 120 characters, URLs removed. */
  readonly reason: string;
  readonly count: number;
}

/** Faults that do not heal in minutes. */
export type NaughtyCategory = "dns_lookup_failed" | "tls_certificate_invalid" | "protocol_error";

/** What one fetch of git data from another server came to. */
export type FetchResult =
  | "fetched"
  | "nothing"
  | "refused"
  | "naughty"
  | "network"
  | "timeout"
  | "blocked"
  | "too_large"
  | "local";

/** Counts the hunt for missing git data. */
export interface HuntGroup {
  fetch(result: FetchResult, seconds: number, bytes: number, objects: number): void;
  hunt(result: "complete" | "partial" | "nothing" | "no_url"): void;
  urlSkipped(reason: "scheme" | "own" | "private" | "naughty" | "throttled" | "shape"): void;
}

/** Values of the hunt, read when metrics are rendered. */
export interface HuntGauges {
  readonly units: Readonly<Record<"due" | "delayed" | "running" | "host_queued", number>>;
  readonly hostsThrottled: number;
  readonly naughtyHosts: readonly NaughtyGauge[];
}
