import type { Store } from "../store/types.ts";

/** What became of one EVENT message: the content of its `OK` (NIP-01). */
export interface AdmitAnswer {
  /** The event id to answer with; undefined when none could be read. */
  readonly id: string | undefined;
  readonly accepted: boolean;
  /** Empty, or a NIP-01 prefix and one plain ASCII sentence. */
  readonly message: string;
}

/** Where the events of clients go: the intake, steps 2 to 14 of the EVENT pipeline. */
export interface EventSink {
  /** Judges one untrusted value, the second element of an EVENT message. Refusals are answers. */
  admit(value: unknown, source: "client"): Promise<AdmitAnswer>;
}

/** The part of the store that a relay connection reads. */
export type RelayStore = Pick<Store, "query" | "count" | "items">;

/** Limits an operator can set. */
export interface RelayLimits {
  /** Open connections; undefined: as many as the machine carries. */
  readonly maxConnections: number | undefined;
  /** Open connections of one address (IPv6: one /64); 0: not limited. */
  readonly maxConnectionsPerIp: number;
  /** Open subscriptions of one connection. */
  readonly maxSubscriptions: number;
  /** EVENT messages of one connection: capacity and refill per minute of its token bucket. */
  readonly maxEventsPerMinute: number;
  /** Longest subscription id, in characters. */
  readonly maxSubidLength: number;
  /** Largest message from a client, in bytes. */
  readonly maxMessageBytes: number;
  readonly maxFiltersPerReq: number;
  /** Largest set one NEG-OPEN may cover, in events. */
  readonly maxNegentropyItems: number;
}

/** Bounds that follow from the machine rather than from policy; tests shrink them. */
export interface RelayBounds {
  /** Stored results wait while more than this is queued for a reader. */
  readonly pauseAboveBytes: number;
  /** A frame that would queue more than this closes the connection. */
  readonly closeAboveBytes: number;
  /** How long a reader may stay above `pauseAboveBytes`. */
  readonly drainDeadlineMs: number;
  readonly drainPollMs: number;
  /** Messages and bytes of one connection that wait to be processed; beyond it closes. */
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  /** EVENTs of one connection, and UTF-16 units in them, that may be judged at the same time. */
  readonly eventsUnderWay: number;
  readonly eventUnitsUnderWay: number;
  /** Live events and bytes one subscription holds back until its EOSE; beyond it is CLOSED. */
  readonly heldEvents: number;
  readonly heldBytes: number;
  /** Sum of what the open subscriptions of one connection take: their REQ messages and {@link FILTER_VALUE_BYTES} a value. */
  readonly subscriptionBytes: number;
  /** Items held by the negentropy sessions of all connections, or the set limit where that is larger. */
  readonly negentropyItems: number;
  /** A negentropy session without a message for this long is dropped. */
  readonly negentropyIdleMs: number;
  /** How long an accepted upgrade may take to become a WebSocket. */
  readonly handshakeDeadlineMs: number;
  /** How long each phase of stopping may take. */
  readonly stopDeadlineMs: number;
  /** Deno pings after half of this silence and closes after all of it. */
  readonly idleTimeoutSecs: number;
}

/** What one value of a filter takes in memory, its place in the index of live subscriptions included. */
export const FILTER_VALUE_BYTES = 256;

/** The bounds of production. */
export const DEFAULT_BOUNDS: RelayBounds = {
  pauseAboveBytes: 1 << 20,
  closeAboveBytes: 16 << 20,
  drainDeadlineMs: 30_000,
  drainPollMs: 50,
  queuedMessages: 10_000,
  queuedBytes: 32 << 20,
  eventsUnderWay: 64,
  eventUnitsUnderWay: 256 << 10,
  heldEvents: 5_000,
  heldBytes: 16 << 20,
  subscriptionBytes: 64 << 20,
  negentropyItems: 4_000_000, // at 42 bytes each
  negentropyIdleMs: 120_000,
  handshakeDeadlineMs: 10_000,
  stopDeadlineMs: 5_000,
  idleTimeoutSecs: 120,
};

/** Type of a client message as counted; `invalid` is everything else. */
export type ReceivedType =
  | "EVENT"
  | "REQ"
  | "CLOSE"
  | "COUNT"
  | "AUTH"
  | "NEG-OPEN"
  | "NEG-MSG"
  | "NEG-CLOSE"
  | "invalid";
/** Type of a message handed to a socket. */
export type SentType = "EVENT" | "EOSE" | "OK" | "NOTICE" | "CLOSED" | "COUNT" | "NEG-MSG" | "NEG-ERR";
/** Why an upgrade was refused. */
export type RejectReason = "max_connections" | "per_ip" | "shutdown" | "bad_request";

/** Which limit refused a message: the rate of events, what may be open at once, or its size. */
export type RateLimitKind = "event" | "req" | "message_size";

/** Facts the relay reports. Implementations must not throw and must not keep whole addresses in labels. */
export interface RelayMetrics {
  connectionOpened(remoteAddress: string): void;
  /** Exactly once per opened connection, by whatever cause it ends. */
  connectionClosed(remoteAddress: string, durationMs: number): void;
  rejected(reason: RejectReason): void;
  received(type: ReceivedType): void;
  sent(type: SentType): void;
  /** Change of the number of open subscriptions. */
  subscriptions(delta: number): void;
  /** One message refused by a limit of its connection. */
  rateLimited(kind: RateLimitKind): void;
}

/** Reports nothing. */
export const noRelayMetrics: RelayMetrics = {
  connectionOpened() {},
  connectionClosed() {},
  rejected() {},
  received() {},
  sent() {},
  subscriptions() {},
  rateLimited() {},
};
