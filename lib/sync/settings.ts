import type { Config } from "../config/mod.ts";
import { normaliseRelayUrl } from "../outgoing/mod.ts";
import type { SyncSettings } from "./ports.ts";

/** The options sync reads. */
export type SyncConfig = Pick<
  Config,
  | "test"
  | "syncBootstrapRelayUrl"
  | "syncMaxRelays"
  | "syncBaseBackoffSecs"
  | "syncMaxBackoffSecs"
  | "syncDisconnectCheckIntervalSecs"
  | "syncDisableNegentropy"
  | "syncEoseTimeoutSecs"
  | "syncPaginationThreshold"
  | "syncMaxEventBytes"
  | "maxEventFutureSecs"
  | "naughtyListExpirationHours"
>;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Defaults of options that test mode shortens; a value somebody chose stays. */
const DEFAULT_BACKOFF_SECS = 5;
const DEFAULT_EOSE_TIMEOUT_SECS = 30;

/** All numbers of sync under a configuration; `NGIT_TEST=1` shortens what tests would wait for. */
export function syncSettings(config: SyncConfig): SyncSettings {
  const fast = <T>(normal: T, test: T) => config.test ? test : normal;
  const baseSecs = config.syncBaseBackoffSecs === DEFAULT_BACKOFF_SECS
    ? fast(DEFAULT_BACKOFF_SECS, 1)
    : config.syncBaseBackoffSecs;
  const silenceSecs = config.syncEoseTimeoutSecs === DEFAULT_EOSE_TIMEOUT_SECS
    ? fast(DEFAULT_EOSE_TIMEOUT_SECS, 1)
    : config.syncEoseTimeoutSecs;
  const selfBatchMs = fast(5 * SECOND, 200);
  return {
    selfBatchMs,
    purgatoryDebounceMs: 100,
    purgatoryTimerMs: MINUTE,
    doubleCheckMs: selfBatchMs + SECOND,
    quickReconnectMs: 15 * MINUTE,
    overlapSecs: 900,
    maxSubscriptions: 70,
    consolidationWaitMs: 30 * SECOND,
    consolidationEveryMs: MINUTE,
    valuesPerFilter: 100,
    idsPerFilter: 300,
    pageThreshold: config.syncPaginationThreshold,
    pageLimit: 500,
    dailyMinMs: 23 * HOUR,
    dailyMaxMs: 25 * HOUR,
    dailySpreadMs: 30 * MINUTE,
    baseBackoffMs: baseSecs * SECOND,
    maxBackoffMs: config.syncMaxBackoffSecs * SECOND,
    connectTimeoutMs: baseSecs * SECOND,
    deadAfterMs: 24 * HOUR,
    deadRetryMs: 24 * HOUR,
    cooldownMs: 65 * SECOND,
    stableAfterMs: 5 * MINUTE,
    naughtyMs: config.naughtyListExpirationHours * HOUR,
    negentropyFirstReplyMs: fast(10 * SECOND, SECOND),
    negentropyReplyMs: fast(30 * SECOND, 3 * SECOND),
    silenceMs: silenceSecs * SECOND,
    pageCapMs: fast(10 * MINUTE, 10 * SECOND),
    keepAliveIdleMs: fast(MINUTE, 2 * SECOND),
    keepAliveAnswerMs: fast(20 * SECOND, SECOND),
    bufferedEvents: 1_000,
    maxEventBytes: config.syncMaxEventBytes,
    maxFutureSecs: config.maxEventFutureSecs,
    disableNegentropy: config.syncDisableNegentropy,
    disconnectCheckMs: config.syncDisconnectCheckIntervalSecs * SECOND,
    maxRelays: config.syncMaxRelays,
    bootstrapRelays: bootstrapRelays(config.syncBootstrapRelayUrl),
    firstRepairMs: 10 * MINUTE,
    maxRepairMs: 6 * HOUR,
  };
}

function bootstrapRelays(urls: readonly string[]): readonly string[] {
  return [...new Set(urls.flatMap((url) => normaliseRelayUrl(url) ?? []))];
}
