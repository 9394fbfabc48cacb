import type { FamilyBuilder } from "./metrics_builder.ts";
import { DROP_REASONS, FETCH_RESULTS, REJECTED_TYPES, SKIP_REASONS } from "./metrics_sync_labels.ts";

const HISTORIC_SECONDS = [1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600];
const FETCH_SECONDS = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** Families about following other relays. */
export function syncFamilies(define: FamilyBuilder) {
  return { ...relayFamilies(define), ...progressFamilies(define) };
}

function relayFamilies(define: FamilyBuilder) {
  const relay = ["relay"] as const;
  return {
    syncRelayConnected: define.gauge(
      "ngit_sync_relay_connected",
      "Connection of a relay: 0 disconnected, 1 connecting, 2 syncing, 3 connected, 4 connected degraded, 5 disconnecting",
      relay,
    ),
    syncAttempts: define.openCounter("ngit_sync_connection_attempts_total", "Dials of a relay that ended", [
      "relay",
      "result",
    ]),
    syncRelayStatus: define.gauge(
      "ngit_sync_relay_status",
      "Health of a relay: 1 healthy, 2 disconnected, 3 degraded, 4 dead, 5 rate limited",
      relay,
    ),
    syncRelayFailures: define.gauge("ngit_sync_relay_failures", "Failures of a relay in a row", relay),
    syncPendingBatches: define.gauge("ngit_sync_pending_batches", "Batches of history under way", relay),
    syncSubscriptions: define.gauge("ngit_sync_subscriptions", "Open subscriptions at a relay", relay),
    syncQueueDepth: define.gauge("ngit_sync_queue_depth", "Events received and not yet processed", relay),
    syncTracked: define.gauge("ngit_sync_relays_tracked_total", "Relays followed"),
    syncConnected: define.gauge("ngit_sync_relays_connected_total", "Relays with a working connection"),
    syncDead: define.gauge("ngit_sync_relays_dead_total", "Relays without a success for a day"),
    naughtyRelays: define.gauge("ngit_sync_naughty_relays_total", "Relays with lasting faults", ["category"]),
    naughtyRelayInfo: define.gauge("ngit_sync_naughty_relay_info", "Faults of one relay", [
      "relay",
      "category",
      "reason",
    ]),
  };
}

function progressFamilies(define: FamilyBuilder) {
  return {
    syncEvents: define.counter("ngit_sync_events_synced_total", "Events newly stored through sync"),
    syncProcessed: define.counter(
      "ngit_sync_events_processed_total",
      "Events of peers by what became of them",
      {
        result: ["saved", "purgatory", "duplicate", "rejected", "invalid", "failed"],
      },
    ),
    syncBatches: define.counter("ngit_sync_batches_total", "Batches of history that ended", {
      method: ["negentropy", "req"],
      result: ["complete", "failed", "dropped"],
    }),
    syncNegentropy: define.counter("ngit_sync_negentropy_total", "Negotiations (NIP-77) that ended", {
      result: ["complete", "unsupported", "timeout", "blocked", "failed"],
    }),
    syncRedundantIds: define.counter(
      "ngit_sync_negentropy_redundant_ids_total",
      "Ids asked for although their events were held; stays 0",
    ),
    syncHistoricSeconds: define.histogram(
      "ngit_sync_historic_duration_seconds",
      "From the connection to the end of the first history",
      HISTORIC_SECONDS,
    ),
    syncStalled: define.counter(
      "ngit_sync_stalled_subscriptions_total",
      "Historic subscriptions that fell silent",
    ),
    syncConsolidations: define.counter("ngit_sync_consolidations_total", "Consolidations of subscriptions", {
      result: ["done", "timeout"],
    }),
    syncDroppedFrames: define.counter("ngit_sync_dropped_frames_total", "Frames of peers that were dropped", {
      reason: DROP_REASONS,
    }),
  };
}

/** Families about refused events that are remembered. */
export function rejectedFamilies(define: FamilyBuilder) {
  const labels = { event_type: REJECTED_TYPES };
  const count = (name: string, help: string) =>
    define.counter(`ngit_sync_rejected_${name}_total`, help, labels);
  const size = (name: string, help: string) =>
    define.gauge(`ngit_sync_rejected_${name}_current`, help, ["event_type"] as const);
  return {
    rejectedHot: size("hot_cache", "Refused events remembered whole"),
    rejectedHits: count("hot_cache_hits", "Refused events handed back for another look"),
    rejectedMisses: count("hot_cache_misses", "Invalidations that found an id but no event"),
    rejectedHotExpired: count("hot_cache_expired", "Refused events no longer remembered whole"),
    rejectedCold: size("cold_index", "Refused events remembered by id"),
    rejectedColdExpired: count("cold_index_expired", "Ids of refused events no longer remembered"),
    rejectedInvalidated: count("invalidated", "Ids removed because their reason may be gone"),
  };
}

/** Families about the hunt for missing git data. */
export function huntFamilies(define: FamilyBuilder) {
  return {
    huntFetches: define.counter("ngit_git_fetch_total", "Attempts to fetch from another Git host", {
      result: FETCH_RESULTS,
    }),
    huntFetchSeconds: define.histogram(
      "ngit_purgatory_fetch_seconds",
      "Duration of attempts to fetch missing Git data",
      FETCH_SECONDS,
    ),
    huntFetchBytes: define.counter("ngit_purgatory_fetch_bytes_total", "Bytes received by these attempts"),
    huntFetchedObjects: define.counter(
      "ngit_purgatory_fetched_objects_total",
      "Needed objects obtained by these attempts",
    ),
    hunts: define.counter("ngit_purgatory_hunts_total", "Hunts that ended", {
      result: ["complete", "partial", "nothing", "no_url"],
    }),
    huntUnits: define.gauge("ngit_purgatory_hunt_units", "Repositories whose Git data is hunted for", [
      "state",
    ]),
    huntUrlsSkipped: define.counter("ngit_purgatory_urls_skipped_total", "Clone URLs not tried", {
      reason: SKIP_REASONS,
    }),
    huntHostsThrottled: define.gauge("ngit_purgatory_hosts_throttled", "Git hosts at their limit"),
    naughtyGitHosts: define.gauge("ngit_git_naughty_hosts", "Git hosts with lasting faults", ["category"]),
  };
}
