import * as kinds from "./kinds.ts";
import * as lists from "./list_kinds.ts";
import { rowsOf } from "./option.ts";

const { withDefault } = rowsOf("Proactive sync (GRASP-02)");

/** Section "Proactive sync". */
export const SYNC_OPTIONS = {
  NGIT_SYNC_ENABLE: withDefault(kinds.bool, {
    default: "true",
    help: "Fetch events and git data from other servers; false makes no outgoing connection at all",
  }),
  NGIT_SYNC_BOOTSTRAP_RELAY_URL: withDefault(lists.relayUrls, {
    default: "",
    help: "First relays to sync from; others are discovered",
  }),
  NGIT_SYNC_MAX_RELAYS: withDefault(kinds.uint(1, 10_000), {
    default: "200",
    help: "Most relays tracked, bootstrap relays first",
  }),
  NGIT_SYNC_BASE_BACKOFF_SECS: withDefault(kinds.uint(1, 3600), {
    default: "5",
    help: "First retry delay, doubled per failure; also the connect timeout",
  }),
  NGIT_SYNC_MAX_BACKOFF_SECS: withDefault(kinds.uint(1), {
    default: "3600",
    help: "Longest retry delay, at least the base",
  }),
  NGIT_SYNC_DISCONNECT_CHECK_INTERVAL_SECS: withDefault(kinds.uint(1, 86_400), {
    default: "60",
    help: "Seconds between checks for relays no longer wanted",
  }),
  NGIT_SYNC_DISABLE_NEGENTROPY: withDefault(kinds.bool, {
    default: "false",
    help: "Sync history with REQ only; serving NIP-77 is not affected",
  }),
  NGIT_SYNC_GIT_MAX_CONCURRENT_PER_HOST: withDefault(kinds.uint(1), {
    default: "5",
    help: "git fetches at once from one remote host",
  }),
  NGIT_SYNC_GIT_MAX_PER_MINUTE_PER_HOST: withDefault(kinds.uint(1), {
    default: "60",
    help: "git fetches per minute from one remote host",
  }),
  NGIT_SYNC_EOSE_TIMEOUT_SECS: withDefault(kinds.uint(1), {
    default: "30",
    help: "Silence in seconds that ends a historic subscription",
  }),
  NGIT_SYNC_PAGINATION_THRESHOLD: withDefault(kinds.uint(1), {
    default: "75",
    help: "Events that count as a full page",
  }),
  NGIT_SYNC_MAX_EVENT_BYTES: withDefault(kinds.uint(1), {
    default: "1048576",
    help: "Largest frame accepted from a peer",
  }),
  NGIT_REJECTED_HOT_CACHE_DURATION_SECS: withDefault(kinds.uint(0, 86_400), {
    default: "120",
    help: "How long refused announcements and states are kept whole; useful are 30 to 300",
  }),
  NGIT_REJECTED_COLD_INDEX_EXPIRY_SECS: withDefault(kinds.uint(0), {
    default: "604800",
    help: "How long ids of refused events are not fetched again, in seconds",
  }),
  NGIT_NAUGHTY_LIST_EXPIRATION_HOURS: withDefault(kinds.uint(0, 8760), {
    default: "12",
    help: "Hours for which hosts with DNS, TLS or protocol faults are left alone; 0 disables",
  }),
};
