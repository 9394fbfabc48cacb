import type { OptionName } from "./options.ts";

/** What happens to a variable of another or older program. */
export type LegacyName =
  /** Another name of an option; `flag` when it is a flag as well. */
  | { readonly kind: "alias"; readonly of: OptionName; readonly flag?: true }
  /** A false value means that sync is off; true means nothing. */
  | { readonly kind: "sync-off" }
  /** No effect; the text says why. `whenTrue`: only a true value is worth a warning. */
  | { readonly kind: "ignored"; readonly because: string; readonly whenTrue?: true };

const BLOSSOM = "Blossom is no longer part of GRASP and is not served";
const LOG_FILES = "logs go to stdout; rotation belongs to the service manager";
const TIMERS = "this timer is not configurable";
const PLANNED = "it has no effect";

/** Names of ngit-relay, of the Rust ngit-grasp and of its documents. */
export const LEGACY_NAMES: Readonly<Record<string, LegacyName>> = {
  NGIT_ABUSE_THRESHOLD: { kind: "alias", of: "NGIT_METRICS_CONNECTION_PER_IP_ABUSE_THRESHOLD", flag: true },
  NGIT_TOP_N_REPOS: { kind: "alias", of: "NGIT_METRICS_TOP_N_REPOS", flag: true },
  NGIT_SYNC_ALLOW_PRIVATE_RELAYS: { kind: "alias", of: "NGIT_ALLOW_PRIVATE_ADDRESSES" },
  NGIT_SYNC_ALLOW_NON_GLOBAL_TARGETS: { kind: "alias", of: "NGIT_ALLOW_PRIVATE_ADDRESSES" },
  NGIT_TRUSTED_PROXY_CIDRS: { kind: "alias", of: "NGIT_TRUSTED_PROXIES" },
  NGIT_RELAY_MAX_SUBSCRIPTIONS: { kind: "alias", of: "NGIT_MAX_SUBSCRIPTIONS" },
  NGIT_RELAY_FILTER_LIMIT: { kind: "alias", of: "NGIT_MAX_FILTER_LIMIT" },
  NGIT_PROACTIVE_SYNC_GIT: { kind: "sync-off" },
  NGIT_PROACTIVE_SYNC_NOSTR: { kind: "sync-off" },
  NGIT_PROACTIVE_SYNC_BLOSSOM: { kind: "ignored", because: BLOSSOM },
  NGIT_BLOSSOM_MAX_FILE_SIZE_MB: { kind: "ignored", because: BLOSSOM },
  NGIT_BLOSSOM_MAX_CAPACITY_GB: { kind: "ignored", because: BLOSSOM },
  NGIT_LOG_DIR: { kind: "ignored", because: LOG_FILES },
  NGIT_LOG_MAX_SIZE_MB: { kind: "ignored", because: LOG_FILES },
  NGIT_LOG_MAX_BACKUPS: { kind: "ignored", because: LOG_FILES },
  NGIT_LOG_MAX_AGE_DAYS: { kind: "ignored", because: LOG_FILES },
  NGIT_INTERNAL_RELAY_PORT_FOR_SSL_PROXY: {
    kind: "ignored",
    because: "set NGIT_BIND_ADDRESS=0.0.0.0:8081 to listen where ngit-relay did",
  },
  NGIT_SYNC_STARTUP_DELAY_SECS: { kind: "ignored", because: TIMERS },
  NGIT_SYNC_RECONNECT_DELAY_SECS: { kind: "ignored", because: TIMERS },
  NGIT_SYNC_RECONNECT_LOOKBACK_DAYS: { kind: "ignored", because: TIMERS },
  NGIT_SYNC_STARTUP_JITTER_MS: { kind: "ignored", because: TIMERS },
  NGIT_SYNC_BATCH_WINDOW_MS: { kind: "ignored", because: TIMERS },
  NGIT_AUTH_REQUIRED: { kind: "ignored", because: PLANNED, whenTrue: true },
  NGIT_RATE_LIMIT_ENABLED: { kind: "ignored", because: PLANNED, whenTrue: true },
};

/** The variable that names the `.env` file; it belongs to no layer. */
export const ENV_FILE_VARIABLE = "NGIT_ENV_FILE";

/** Variables of other origin that are read: what children need, and what service managers set. */
export const SYSTEM_VARIABLES = [
  "PATH",
  "HOME",
  "TMPDIR",
  "NO_COLOR",
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
  "WATCHDOG_PID",
  "CREDENTIALS_DIRECTORY",
] as const;

/** The entry of a foreign name, if it is one. */
export function legacyName(name: string): LegacyName | undefined {
  return Object.hasOwn(LEGACY_NAMES, name) ? LEGACY_NAMES[name] : undefined;
}
