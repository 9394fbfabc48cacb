import type { SyncSettings } from "../../lib/sync/ports.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The numbers of production, written out so that scenarios prove them. */
export const PRODUCTION: SyncSettings = {
  selfBatchMs: 5 * SECOND,
  purgatoryDebounceMs: 100,
  purgatoryTimerMs: MINUTE,
  doubleCheckMs: 6 * SECOND,
  quickReconnectMs: 900 * SECOND,
  overlapSecs: 900,
  maxSubscriptions: 70,
  consolidationWaitMs: 30 * SECOND,
  consolidationEveryMs: MINUTE,
  valuesPerFilter: 100,
  idsPerFilter: 300,
  pageThreshold: 75,
  pageLimit: 500,
  dailyMinMs: 23 * HOUR,
  dailyMaxMs: 25 * HOUR,
  dailySpreadMs: 30 * MINUTE,
  baseBackoffMs: 5 * SECOND,
  maxBackoffMs: HOUR,
  connectTimeoutMs: 5 * SECOND,
  deadAfterMs: 24 * HOUR,
  deadRetryMs: 24 * HOUR,
  cooldownMs: 65 * SECOND,
  stableAfterMs: 300 * SECOND,
  naughtyMs: 12 * HOUR,
  negentropyFirstReplyMs: 10 * SECOND,
  negentropyReplyMs: 30 * SECOND,
  silenceMs: 30 * SECOND,
  pageCapMs: 600 * SECOND,
  keepAliveIdleMs: MINUTE,
  keepAliveAnswerMs: 20 * SECOND,
  bufferedEvents: 1_000,
  maxEventBytes: 1 << 20,
  maxFutureSecs: 1_800,
  disableNegentropy: false,
  disconnectCheckMs: MINUTE,
  maxRelays: 200,
  bootstrapRelays: [],
  firstRepairMs: 10 * MINUTE,
  maxRepairMs: 6 * HOUR,
};
