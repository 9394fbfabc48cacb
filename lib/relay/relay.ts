import type { NostrEvent } from "../nostr/mod.ts";
import type { Logger } from "../observe/mod.ts";
import type { Clock } from "../world/mod.ts";
import { ConnectionCounter } from "./connections.ts";
import { LiveSubscriptions } from "./live.ts";
import { NOTICE } from "./messages.ts";
import { NegentropyCapacity } from "./negentropy_capacity.ts";
import type { OutboxSocket } from "./outbox.ts";
import {
  DEFAULT_BOUNDS,
  type EventSink,
  noRelayMetrics,
  type RelayBounds,
  type RelayLimits,
  type RelayMetrics,
  type RelayStore,
} from "./ports.ts";
import { Session, type SessionDeps } from "./session.ts";
import { handshakeProblem, refusal, type UpgradeRefusal } from "./upgrade.ts";

/** What a relay is made of. */
export interface RelayInput {
  readonly limits: RelayLimits;
  readonly store: RelayStore;
  readonly sink: EventSink;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: RelayMetrics;
  readonly bounds?: Partial<RelayBounds>;
}

/** The client side of the relay: WebSocket connections and their subscriptions (NIP-01). */
export interface Relay {
  /**
   * Answers a WebSocket handshake: 101, or 400, 426, 429 or 503 with a plain text. Headers may be
   * added to the 101 as to any response, before the handler returns it.
   */
  upgrade(request: Request, remoteAddress: string): Response;
  /** Serves a connection that is open already and is no WebSocket of this process, as tests have them. */
  accept(socket: OutboxSocket, remoteAddress: string): AcceptedConnection;
  /**
   * Sends an event that has just been stored (or is ephemeral) to all matching subscriptions, once
   * each. Call it right after the commit resolved, without waiting for I/O in between.
   */
  publish(event: NostrEvent, text: string): void;
  /** Open connections, accepted handshakes included. */
  connectionCount(): number;
  /** Refuses further upgrades, answers what was received, then closes all connections with 1001. */
  stop(): Promise<void>;
}

/** What a connection tells the relay. */
export interface AcceptedConnection {
  /** One frame arrived: a text, or the bytes of a binary frame. */
  receive(data: unknown): void;
  /** The connection is gone; once. */
  ended(): void;
}

const GOING_AWAY = 1001;

/** Creates a {@link Relay}; it holds nothing open until the first upgrade. */
export function createRelay(input: RelayInput): Relay {
  const relay = new Connections(input);
  return {
    upgrade: (request, remoteAddress) => relay.upgrade(request, remoteAddress),
    accept: (socket, remoteAddress) => relay.accept(socket, remoteAddress),
    publish: (event, text) => relay.live.publish(event, text),
    connectionCount: () => relay.count,
    stop: () => relay.stop(),
  };
}

class Connections {
  readonly live = new LiveSubscriptions();
  readonly #deps: SessionDeps;
  readonly #counter = new ConnectionCounter();
  /** Open sessions with the promise of their socket's end. */
  readonly #sessions = new Map<Session, Promise<void>>();
  #stopping = false;

  constructor(input: RelayInput) {
    const { limits, store, sink, clock, log } = input;
    const bounds = { ...DEFAULT_BOUNDS, ...input.bounds };
    const metrics = input.metrics ?? noRelayMetrics;
    const capacity = new NegentropyCapacity(bounds.negentropyItems);
    this.#deps = { limits, bounds, store, sink, clock, log, metrics, live: this.live, capacity };
  }

  get count(): number {
    return this.#counter.total;
  }

  upgrade(request: Request, remoteAddress: string): Response {
    const problem = handshakeProblem(request) ?? this.#admissionProblem(remoteAddress);
    if (problem) {
      this.#deps.metrics.rejected(problem.reason);
      return problem.response;
    }
    const { socket, response } = Deno.upgradeWebSocket(request, {
      idleTimeout: this.#deps.bounds.idleTimeoutSecs,
    });
    socket.binaryType = "arraybuffer";
    this.#accept(socket, remoteAddress);
    return response;
  }

  #admissionProblem(remoteAddress: string): UpgradeRefusal | undefined {
    const { maxConnections, maxConnectionsPerIp } = this.#deps.limits;
    if (this.#stopping) return refusal("shutdown", 503, "This server is shutting down");
    if (maxConnections !== undefined && this.#counter.total >= maxConnections) {
      return refusal("max_connections", 503, "All connections are in use", { "retry-after": "10" });
    }
    if (maxConnectionsPerIp > 0 && this.#counter.of(remoteAddress) >= maxConnectionsPerIp) {
      return refusal("per_ip", 429, "Your address has all its connections in use", { "retry-after": "10" });
    }
    return undefined;
  }

  /** Counts a connection from the accepted handshake until its socket has closed. */
  #accept(socket: WebSocket, remoteAddress: string): void {
    const { clock, bounds, log } = this.#deps;
    const release = this.#counter.add(remoteAddress);
    const opened = new AbortController();
    socket.onopen = () => {
      opened.abort();
      this.#open(socket, remoteAddress, release);
    };
    socket.onclose = () => {
      opened.abort();
      release();
    };
    // A client that leaves during the handshake produces neither of the two events.
    void clock.sleep(bounds.handshakeDeadlineMs, opened.signal).then(() => {
      if (opened.signal.aborted) return;
      log.debug("a WebSocket handshake was not completed");
      socket.onopen = () => socket.close();
      release();
    });
  }

  #open(socket: WebSocket, remoteAddress: string, release: () => void): void {
    const { receive, ended } = this.#serve(socket, remoteAddress, release);
    socket.onmessage = ({ data }) => receive(data);
    // Deno reports a reset peer as an error followed by a close; the close does the work.
    socket.onerror = (event) =>
      this.#deps.log.debug("connection failed", { error: (event as ErrorEvent).message });
    socket.onclose = ended;
  }

  accept(socket: OutboxSocket, remoteAddress: string): AcceptedConnection {
    return this.#serve(socket, remoteAddress, this.#counter.add(remoteAddress));
  }

  #serve(socket: OutboxSocket, remoteAddress: string, release: () => void): AcceptedConnection {
    const { clock, log, metrics } = this.#deps;
    const openedAt = clock.now();
    const session = new Session(this.#deps, socket);
    const closed = Promise.withResolvers<void>();
    this.#sessions.set(session, closed.promise);
    metrics.connectionOpened(remoteAddress);
    log.debug("connection opened", { open: this.#counter.total });
    const ended = () => {
      session.end();
      this.#sessions.delete(session);
      release();
      closed.resolve();
      metrics.connectionClosed(remoteAddress, clock.now() - openedAt);
      log.debug("connection closed", { open: this.#counter.total });
    };
    if (this.#stopping) session.close(GOING_AWAY, "shutting down");
    return { receive: (data) => session.receive(data), ended };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#withDeadline([...this.#sessions.keys()].map((session) => session.finish()));
    for (const session of this.#sessions.keys()) {
      session.notice(NOTICE.stopping);
      session.close(GOING_AWAY, "shutting down");
    }
    await this.#withDeadline([...this.#sessions.values()]);
  }

  async #withDeadline(work: readonly Promise<void>[]): Promise<void> {
    const done = new AbortController();
    const deadline = this.#deps.clock.sleep(this.#deps.bounds.stopDeadlineMs, done.signal);
    await Promise.race([Promise.all(work), deadline]);
    done.abort();
  }
}
