import * as kinds from "./kinds.ts";
import { rowsOf } from "./option.ts";

const { withDefault, optional } = rowsOf("Limits");

/** Section "Limits". */
export const LIMIT_OPTIONS = {
  NGIT_MAX_CONNECTIONS: optional(kinds.uint(1), {
    help: "Simultaneous WebSockets; unset is no limit of our own",
    reloadable: true,
  }),
  NGIT_MAX_CONNECTIONS_PER_IP: withDefault(kinds.uint(0), {
    default: "0",
    help: "Simultaneous WebSockets per client address (IPv6: per /64); 0 is off",
    reloadable: true,
  }),
  NGIT_MAX_SUBSCRIPTIONS: withDefault(kinds.uint(1, 10_000), {
    default: "500",
    help: "Open subscriptions per connection",
    reloadable: true,
  }),
  NGIT_MAX_EVENTS_PER_MINUTE: withDefault(kinds.uint(1, 100_000), {
    default: "60",
    help: "EVENT messages per connection and minute",
    reloadable: true,
  }),
  NGIT_MAX_SUBID_LENGTH: withDefault(kinds.uint(1, 1024), {
    default: "250",
    help: "Longest subscription id, in characters",
    reloadable: true,
  }),
  NGIT_DEFAULT_FILTER_LIMIT: withDefault(kinds.uint(75), {
    default: "500",
    help: "Events per filter without a limit of its own",
    reloadable: true,
  }),
  NGIT_MAX_FILTER_LIMIT: withDefault(kinds.uint(300), {
    default: "5000",
    help: "Largest limit of a filter; larger ones are lowered to it",
    reloadable: true,
  }),
  NGIT_MAX_MESSAGE_BYTES: withDefault(kinds.uint(1_048_576, 67_108_864), {
    default: "16777216",
    help: "Largest WebSocket message from a client",
  }),
  NGIT_MAX_FILTERS_PER_REQ: withDefault(kinds.uint(1, 1000), {
    default: "64",
    help: "Filters per REQ or COUNT",
    reloadable: true,
  }),
  NGIT_MAX_EVENT_FUTURE_SECS: withDefault(kinds.uint(900, 31_536_000), {
    default: "1800",
    help: "How far ahead of our clock created_at may be, in seconds",
    reloadable: true,
  }),
  NGIT_MAX_NEGENTROPY_ITEMS: withDefault(kinds.uint(1000), {
    default: "1000000",
    help: "Largest set one NEG-OPEN may cover",
    reloadable: true,
  }),
  NGIT_MAX_PUSH_BYTES: withDefault(kinds.uint(0), {
    default: "2147483648",
    help: "Largest pack of one push; 0 is unlimited",
    reloadable: true,
  }),
  NGIT_GRASP06_MAX_PUSH_BYTES: withDefault(kinds.uint(0), {
    default: "104857600",
    help: "Largest pack of one push below /prs/; 0 is unlimited",
    reloadable: true,
  }),
  NGIT_GRASP06_MAX_REFS_PER_PUSH: withDefault(kinds.uint(1), {
    default: "16",
    help: "Refs one push below /prs/ may create",
    reloadable: true,
  }),
  NGIT_GRASP06_PUSHES_PER_MINUTE: withDefault(kinds.uint(1), {
    default: "30",
    help: "Pushes below /prs/ per client address and minute",
    reloadable: true,
  }),
  NGIT_GRASP06_MAX_TOTAL_BYTES: withDefault(kinds.uint(0), {
    default: "0",
    help: "All data below /prs/; 0 is unlimited",
    reloadable: true,
  }),
  NGIT_GRASP06_MAX_BYTES_PER_SUBMITTER: withDefault(kinds.uint(0), {
    default: "0",
    help: "Data below /prs/ of one submitter; 0 is unlimited",
    reloadable: true,
  }),
  NGIT_GRASP06_UNCLAIMED_TTL_SECS: withDefault(kinds.uint(1), {
    default: "1200",
    help: "How long pushed data below /prs/ waits for its event, in seconds",
    reloadable: true,
  }),
  NGIT_MAX_GIT_PROCESSES: withDefault(kinds.uint(1, 1000), {
    default: "16",
    help: "git processes serving clients at once; further requests wait 30 s, then get 503",
    reloadable: true,
  }),
  NGIT_PACK_CACHE_MB: withDefault(kinds.uint(0, 1_048_576), {
    default: "1024",
    help: "Disk space in MiB for packs kept for later clones, below the git data path; 0 is off",
    reloadable: true,
  }),
  NGIT_GIT_TIMEOUT_SECS: withDefault(kinds.uint(10, 86_400), {
    default: "600",
    help: "A git process serving a client is ended after this many seconds without output",
    reloadable: true,
  }),
};

const lifecycle = rowsOf("Lifecycle and maintenance");

/** Section "Lifecycle and maintenance". */
export const LIFECYCLE_OPTIONS = {
  NGIT_SHUTDOWN_TIMEOUT_SECS: lifecycle.withDefault(kinds.uint(1, 600), {
    default: "30",
    help: "Seconds for work in flight when asked to stop",
  }),
  NGIT_AUDIT_CLEANUP_ENABLED: lifecycle.withDefault(kinds.bool, {
    default: "true",
    help: "Remove events with the audit tag and their repositories",
    reloadable: true,
  }),
  NGIT_AUDIT_CLEANUP_INTERVAL_SECS: lifecycle.withDefault(kinds.uint(1), {
    default: "1800",
    help: "Seconds between two audit clean-ups",
    reloadable: true,
  }),
  NGIT_AUDIT_CLEANUP_AGE_SECS: lifecycle.withDefault(kinds.uint(1), {
    default: "7200",
    help: "Age in seconds at which audit events are removed",
    reloadable: true,
  }),
  NGIT_GIT_MAINTENANCE_ENABLED: lifecycle.withDefault(kinds.bool, {
    default: "true",
    help: "Scheduled repack and garbage collection",
    reloadable: true,
  }),
  NGIT_GIT_MAINTENANCE_INTERVAL_HOURS: lifecycle.withDefault(kinds.uint(1, 720), {
    default: "24",
    help: "Hours between two maintenance runs",
    reloadable: true,
  }),
  NGIT_GIT_FSCK_INTERVAL_DAYS: lifecycle.withDefault(kinds.uint(0, 365), {
    default: "30",
    help: "Days between two integrity checks of a repository; 0 is never",
    reloadable: true,
  }),
  NGIT_DELETED_REPO_RETENTION_SECS: lifecycle.withDefault(kinds.uint(0), {
    default: "7776000",
    help: "How long a deleted repository is held without being served, in seconds",
    reloadable: true,
  }),
  NGIT_TEST: lifecycle.withDefault(kinds.bool, {
    default: "false",
    help: "Shortens timers for tests",
    hidden: true,
  }),
};
