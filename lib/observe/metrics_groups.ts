import type { ConnectionTracker } from "./metrics_addresses.ts";
import type { Families } from "./metrics_families.ts";
import {
  amount,
  type HttpRoute,
  kindLabel,
  reasonLabel,
  type RECEIVED_TYPES,
  type SENT_TYPES,
  statusClass,
} from "./metrics_labels.ts";
import type { TrafficRepository, TrafficTally } from "./metrics_traffic.ts";

/** What the relay reports. Addresses are counted, never exported. */
export interface RelayGroup {
  connectionOpened(remoteAddress: string): void;
  /** Without effect unless a connection of this address is open. */
  connectionClosed(remoteAddress: string, durationMs: number): void;
  rejected(reason: "max_connections" | "per_ip" | "shutdown" | "bad_request"): void;
  received(type: (typeof RECEIVED_TYPES)[number]): void;
  sent(type: (typeof SENT_TYPES)[number]): void;
  /** Change of the number of open subscriptions. */
  subscriptions(delta: number): void;
  rateLimited(kind: "event" | "req" | "message_size"): void;
}

/** What intake reports; a reason that is no known one counts as `other`. */
export interface IntakeGroup {
  received(kind: number): void;
  held(kind: number): void;
  rejected(kind: number, reason: string): void;
}

/** What the git service reports. */
export interface GitGroup {
  /** One finished POST; discovery and probes are not operations. */
  operation(
    operation: "fetch" | "clone" | "push",
    status: "success" | "error" | "denied",
    seconds: number,
  ): void;
  /** Body bytes; `repository` is given only when it is known to exist, and ranks it by traffic. */
  bytes(direction: "in" | "out", count: number, repository?: TrafficRepository): void;
  /** One per push that carries commands. */
  authorization(result: "allowed" | "denied"): void;
  /** One per POST that asks for a pack. */
  packCache(result: "hit" | "miss" | "shared" | "bypass"): void;
  processFailure(reason: "spawn" | "exit" | "timeout" | "killed"): void;
  /** The repository is gone or no longer served: its traffic is forgotten. */
  repositoryRemoved(repository: TrafficRepository): void;
}

/** What the HTTP router reports. */
export interface HttpGroup {
  /** One finished request; statuses below 200 (a WebSocket upgrade) are not counted. */
  httpRequest(route: HttpRoute, status: number, durationMs: number): void;
}

/** Open subscriptions as the sum of the changes reported, for want of a place that knows the number. */
export interface SubscriptionSum {
  open: number;
}

/** Messages sent by type that their counter does not know yet: it is too dear for every frame. */
export type SentTally = Map<(typeof SENT_TYPES)[number], number>;

/** The relay's counters. */
export function relayGroup(
  families: Families,
  connections: ConnectionTracker,
  subscriptions: SubscriptionSum,
  sent: SentTally,
): RelayGroup {
  return {
    connectionOpened(remoteAddress) {
      families.connections.inc();
      connections.open(remoteAddress);
    },
    connectionClosed(remoteAddress, durationMs) {
      if (connections.close(remoteAddress)) families.connectionSeconds.observe(amount(durationMs) / 1000);
    },
    rejected: (reason) => families.upgradesRejected.inc({ reason }),
    received: (type) => families.messagesReceived.inc({ type }),
    sent: (type) => void sent.set(type, (sent.get(type) ?? 0) + 1),
    subscriptions(delta) {
      subscriptions.open = Math.max(0, subscriptions.open + delta);
    },
    rateLimited: (kind) => families.rateLimited.inc({ kind }),
  };
}

/** The intake's counters. */
export function intakeGroup(families: Families): IntakeGroup {
  return {
    received: (kind) => families.eventsReceived.inc({ kind: kindLabel(kind) }),
    held: (kind) => families.eventsHeld.inc({ kind: kindLabel(kind) }),
    rejected: (kind, reason) =>
      families.eventsRejected.inc({ kind: kindLabel(kind), reason: reasonLabel(reason) }),
  };
}

/** The git service's counters. */
export function gitGroup(families: Families, traffic: TrafficTally): GitGroup {
  return {
    operation(operation, status, seconds) {
      families.gitOperations.inc({ operation, status });
      families.gitSeconds.observe({ operation }, amount(seconds));
    },
    bytes(direction, count, repository) {
      families.gitBytes.inc({ direction }, amount(count));
      if (repository) traffic.add(repository, count);
    },
    authorization: (result) => families.pushAuthorizations.inc({ result }),
    packCache: (result) => families.packCache.inc({ result }),
    processFailure: (reason) => families.gitFailures.inc({ reason }),
    repositoryRemoved: (repository) => traffic.remove(repository),
  };
}

/** The router's counters. */
export function httpGroup(families: Families): HttpGroup {
  return {
    httpRequest(route, status, durationMs) {
      const group = statusClass(status);
      if (group === undefined) return;
      families.httpRequests.inc({ route, status: group });
      families.httpSeconds.observe({ route }, amount(durationMs) / 1000);
    },
  };
}
