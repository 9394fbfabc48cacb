import type { Filter } from "../nostr/mod.ts";
import type { NetworkFailure } from "../world/mod.ts";

/** Every number of the sync chapter; times in milliseconds unless the name says otherwise. */
export interface SyncSettings {
  /** Fixed interval of self-subscriber batches. */
  readonly selfBatchMs: number;
  /** How long a change of a purgatory announcement may wait for others. */
  readonly purgatoryDebounceMs: number;
  /** Safety net behind the purgatory signal. */
  readonly purgatoryTimerMs: number;
  /** Wait before a relay leaves Syncing. */
  readonly doubleCheckMs: number;
  /** Longest gap, inclusive, after which a reconnect is quick. */
  readonly quickReconnectMs: number;
  /** Overlap subtracted when computing `since`, in seconds. */
  readonly overlapSecs: number;
  /** Consolidate when open and new subscriptions together exceed it. */
  readonly maxSubscriptions: number;
  readonly consolidationWaitMs: number;
  readonly consolidationEveryMs: number;
  /** Values of one tag condition. */
  readonly valuesPerFilter: number;
  /** Ids of one filter that fetches missing events. */
  readonly idsPerFilter: number;
  /** Events that count as a full page. */
  readonly pageThreshold: number;
  /** The `limit` of a page. */
  readonly pageLimit: number;
  readonly dailyMinMs: number;
  readonly dailyMaxMs: number;
  /** Relays of one daily reconcile start within this time. */
  readonly dailySpreadMs: number;
  readonly baseBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly connectTimeoutMs: number;
  readonly deadAfterMs: number;
  readonly deadRetryMs: number;
  readonly cooldownMs: number;
  readonly stableAfterMs: number;
  readonly naughtyMs: number;
  readonly negentropyFirstReplyMs: number;
  readonly negentropyReplyMs: number;
  /** Silence that ends a historic subscription. */
  readonly silenceMs: number;
  /** Longest life of one page. */
  readonly pageCapMs: number;
  readonly keepAliveIdleMs: number;
  readonly keepAliveAnswerMs: number;
  /** Unprocessed events buffered per connection. */
  readonly bufferedEvents: number;
  readonly maxEventBytes: number;
  readonly maxFutureSecs: number;
  readonly disableNegentropy: boolean;
  readonly disconnectCheckMs: number;
  readonly maxRelays: number;
  /** Normalised URLs named by the operator. */
  readonly bootstrapRelays: readonly string[];
  readonly firstRepairMs: number;
  readonly maxRepairMs: number;
}

/** What is known of a peer beyond one WebSocket; lives as long as the relay is tracked. */
export interface PeerMemory {
  negentropy: "unknown" | "supported" | "unsupported";
  /** First-reply timeouts of negotiations; the second is a verdict. */
  negentropyTimeouts: number;
  /** Page threshold learned from a peer that caps silently; undefined before. */
  learnedThreshold: number | undefined;
  /** Refuses `limit: 0`, or answers it with stored events. */
  liveNeedsSince: boolean;
  /** The peer's NIP-11 limits and when they were read (wall ms). */
  limits: PeerLimits | undefined;
  limitsReadAt: number;
  /** Most subscriptions it accepted, learned from a refusal. */
  learnedBudget: number | undefined;
}

/** `limitation` of a NIP-11 document, as far as a peer's client obeys it. */
export interface PeerLimits {
  readonly maxSubscriptions?: number;
  readonly maxFilters?: number;
  readonly maxLimit?: number;
  readonly defaultLimit?: number;
  readonly maxMessageLength?: number;
  readonly maxSubidLength?: number;
  readonly authRequired?: boolean;
  /** Oldest `created_at` it keeps (`created_at_lower_limit`), as it writes it. */
  readonly historyStartsAt?: number;
}

/** The progress of one batch; written by the link, read by the inspector and metrics. */
export interface BatchProgress {
  readonly outstandingSubs: Set<string>;
  method: "negentropy" | "req";
  /** Negentropy only: ids asked for, and those that arrived. */
  requestedIds: Set<string> | undefined;
  receivedIds: Set<string> | undefined;
  retryCount: number;
  failed: boolean;
}

/** One historic sync: filters to bring home. */
export interface HistoryRequest {
  /** Registered in the pending index before this is passed on. */
  readonly progress: BatchProgress;
  /** With `since` where the strategy asks for it; without `limit` and `until`. */
  readonly filters: readonly Filter[];
  /** False keeps to REQ (repair). */
  readonly allowNegentropy: boolean;
  /** Filters by meaning, for a peer that lists ids it does not serve. */
  fallback(): readonly Filter[];
}

/** How a historic sync ended. */
export interface HistoryOutcome {
  /** `dropped`: the connection or the history was ended by us or by a loss; nothing follows from it. */
  readonly result: "complete" | "failed" | "dropped";
  /** Those of the request's filters of which data is known to be missing. */
  readonly failedFilters: readonly Filter[];
  /** More events of one second than the peer sends at once: some may be missing, and no REQ can tell. */
  readonly possiblyIncomplete?: boolean;
}

/** Why a link ended. */
export type LinkEnd = "closed" | "lost" | "silent" | "overload" | "abuse";

/** Told what happens on a link. */
export interface LinkListener {
  /** Exactly once; everything that was open on the link is gone. */
  ended(reason: LinkEnd, text: string): void;
  /** The peer asked us to slow down; answered with {@link PeerLink.holdUntil}. */
  rateLimited(): void;
}

/** One WebSocket to a peer as the relay actor uses it: subscriptions in, outcomes out. */
export interface PeerLink {
  /** Open subscriptions and negotiations of every sort, as counted on the wire. */
  readonly openSubscriptions: number;
  /** How many this peer allows us. */
  readonly budget: number;
  /** Last frame of the peer, wall time in milliseconds. */
  readonly lastFrameAt: number;
  /** Events received and not yet processed. */
  readonly queueDepth: number;
  /** Some live subscription was refused for good. */
  readonly partlyLive: boolean;
  /** How many subscriptions these live filters take at most, packing considered. */
  liveCost(filters: readonly Filter[]): number;
  openLive(filters: readonly Filter[]): void;
  /** Opens these and closes all other live subscriptions, the new ones first where the budget allows. */
  replaceLive(filters: readonly Filter[]): void;
  /** Fetches history; several may run, metered per relay. Never rejects. */
  history(request: HistoryRequest): Promise<HistoryOutcome>;
  /** Ends all history under way; their outcomes are `dropped`. */
  dropHistory(): void;
  /** Sends no REQ and no NEG-OPEN before this time (monotonic ms); live subscriptions stay. */
  holdUntil(monotonicMs: number): void;
  /** Closes deliberately; `ended("closed")` follows. */
  close(): void;
}

/** How to open a link. */
export interface LinkRequest {
  readonly url: string;
  readonly trusted: boolean;
  readonly memory: PeerMemory;
  readonly signal: AbortSignal;
  readonly listener: LinkListener;
}

/** Opens links; the sync engine knows nothing else of the wire. Never rejects. */
export type OpenLink = (
  request: LinkRequest,
) => Promise<{ readonly ok: true; readonly link: PeerLink } | NetworkFailure>;
