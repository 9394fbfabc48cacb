import type { Registry } from "prom-client";
import { FamilyBuilder } from "./metrics_builder.ts";
import {
  HTTP_ROUTES,
  KIND_LABELS,
  REASON_LABELS,
  RECEIVED_TYPES,
  SENT_TYPES,
  STATUS_CLASSES,
} from "./metrics_labels.ts";
import { operationFamilies } from "./metrics_operation.ts";
import { purgatoryFamilies } from "./metrics_purgatory.ts";
import { huntFamilies, rejectedFamilies, syncFamilies } from "./metrics_sync_families.ts";

const CONNECTION_SECONDS = [1, 5, 15, 30, 60, 300, 900, 3600];
const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const GIT_SECONDS = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Every family of one server, in the order in which they are exported. */
export type Families = ReturnType<typeof createFamilies>;

/** Defines all families in a fresh registry. Names, types and labels are those dashboards know. */
export function createFamilies() {
  const define = new FamilyBuilder();
  return {
    registry: define.registry as Registry,
    ...webSocketFamilies(define),
    ...httpFamilies(define),
    ...gitFamilies(define),
    ...eventFamilies(define),
    ...purgatoryFamilies(define),
    ...syncFamilies(define),
    ...rejectedFamilies(define),
    ...huntFamilies(define),
    ...operationFamilies(define),
    ...processFamilies(define),
  };
}

function webSocketFamilies(define: FamilyBuilder) {
  return {
    connections: define.counter("ngit_websocket_connections_total", "WebSocket connections accepted"),
    connectionsActive: define.gauge("ngit_websocket_connections_active", "Open WebSocket connections"),
    uniqueIps: define.gauge(
      "ngit_websocket_unique_ips",
      "Client addresses with at least one open connection",
    ),
    flaggedAbusers: define.gauge(
      "ngit_websocket_flagged_abusers",
      "Client addresses flagged for the number of their open connections",
    ),
    connectionSeconds: define.histogram(
      "ngit_websocket_connection_duration_seconds",
      "Duration of closed WebSocket connections",
      CONNECTION_SECONDS,
    ),
    messagesReceived: define.counter(
      "ngit_websocket_messages_received_total",
      "Messages received from clients",
      { type: RECEIVED_TYPES },
    ),
    messagesSent: define.counter("ngit_websocket_messages_sent_total", "Messages sent to clients", {
      type: SENT_TYPES,
    }),
    upgradesRejected: define.counter("ngit_websocket_rejected_total", "Refused WebSocket upgrades", {
      reason: ["max_connections", "per_ip", "shutdown", "bad_request"],
    }),
    subscriptionsActive: define.gauge("ngit_websocket_subscriptions_active", "Open client subscriptions"),
    rateLimited: define.counter("ngit_rate_limited_total", "Client messages refused by a limit", {
      kind: ["event", "req", "message_size"],
    }),
  };
}

function httpFamilies(define: FamilyBuilder) {
  return {
    httpRequests: define.counter("ngit_http_requests_total", "Finished HTTP requests", {
      route: HTTP_ROUTES,
      status: STATUS_CLASSES,
    }),
    httpSeconds: define.histogram(
      "ngit_http_request_duration_seconds",
      "Duration of HTTP requests",
      REQUEST_SECONDS,
      { route: HTTP_ROUTES },
    ),
  };
}

function gitFamilies(define: FamilyBuilder) {
  const operation = ["fetch", "clone", "push"];
  return {
    gitOperations: define.counter("ngit_git_operations_total", "Finished Git operations of clients", {
      operation,
      status: ["success", "error", "denied"],
    }),
    gitSeconds: define.histogram(
      "ngit_git_operation_duration_seconds",
      "Duration of Git operations, streaming included",
      GIT_SECONDS,
      { operation },
    ),
    gitBytes: define.counter("ngit_git_bytes_total", "Body bytes exchanged with Git clients", {
      direction: ["in", "out"],
    }),
    pushAuthorizations: define.counter("ngit_git_push_authorization_total", "Decisions on pushes", {
      result: ["allowed", "denied"],
    }),
    topRepos: define.gauge(
      "ngit_git_top_repos_bytes",
      "Bytes exchanged since start for the busiest repositories",
      ["repo"],
    ),
    gitProcesses: define.gauge("ngit_git_processes_active", "Git child processes serving clients"),
    gitQueue: define.gauge("ngit_git_queue_depth", "Git requests waiting for a child process"),
    packCache: define.counter(
      "ngit_git_pack_cache_requests_total",
      "Requests for packs by how they were answered",
      { result: ["hit", "miss", "shared", "bypass"] },
    ),
    packCacheBytes: define.gauge("ngit_git_pack_cache_bytes", "Packs kept on disk for later requests"),
    gitFailures: define.counter(
      "ngit_git_process_failures_total",
      "Git child processes that ended badly",
      { reason: ["spawn", "exit", "timeout", "killed"] },
    ),
  };
}

function eventFamilies(define: FamilyBuilder) {
  const kind = KIND_LABELS;
  return {
    eventsReceived: define.counter("ngit_events_received_total", "Well-formed events received", { kind }),
    eventsStored: define.counter("ngit_events_stored_total", "Events committed to the database", { kind }),
    eventsRejected: define.counter("ngit_events_rejected_total", "Events not stored", {
      kind,
      reason: REASON_LABELS,
    }),
    eventsHeld: define.counter("ngit_events_purgatory_total", "Events accepted into purgatory", { kind }),
    dbEvents: define.gauge("ngit_db_events", "Stored events, counted at most once a minute"),
  };
}

function processFamilies(define: FamilyBuilder) {
  return {
    repositories: define.gauge("ngit_repositories_total", "Repositories on disk"),
    contributions: define.gauge("ngit_prs_repositories", "Contributors' repositories on disk, below /prs/"),
    buildInfo: define.gauge("ngit_build_info", "The program that is running; always 1", [
      "version",
      "commit",
    ]),
    uptime: define.counter("ngit_uptime_seconds", "Seconds since the server started"),
    residentMemory: define.gauge("ngit_process_resident_memory_bytes", "Resident memory of the process"),
    heapUsed: define.gauge("ngit_process_heap_used_bytes", "JavaScript heap in use"),
    eventLoopLag: define.gauge(
      "ngit_event_loop_lag_seconds",
      "Longest delay of a timer in the last 60 seconds",
    ),
  };
}
