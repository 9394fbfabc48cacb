import assert from "node:assert/strict";
import { syncSettings } from "../../lib/sync/mod.ts";
import { loadInvalid, loadValid } from "../config/support.ts";

async function settings(env: Record<string, string> = {}) {
  return syncSettings(await loadValid({ env }));
}

Deno.test("S-84 S-99 S-25 the numbers are those of the table of constants", async () => {
  const { bootstrapRelays, ...numbers } = await settings();
  assert.deepEqual(bootstrapRelays, []);
  assert.deepEqual([numbers.selfBatchMs, numbers.doubleCheckMs], [5_000, 6_000]);
  assert.deepEqual([numbers.quickReconnectMs, numbers.overlapSecs], [900_000, 900]);
  assert.deepEqual([numbers.maxSubscriptions, numbers.consolidationWaitMs], [70, 30_000]);
  assert.deepEqual([numbers.valuesPerFilter, numbers.idsPerFilter, numbers.pageThreshold], [100, 300, 75]);
  assert.deepEqual([numbers.dailyMinMs, numbers.dailyMaxMs], [82_800_000, 90_000_000]);
  assert.deepEqual([numbers.baseBackoffMs, numbers.maxBackoffMs, numbers.connectTimeoutMs], [
    5_000,
    3_600_000,
    5_000,
  ]);
  assert.deepEqual([numbers.deadAfterMs, numbers.deadRetryMs], [86_400_000, 86_400_000]);
  assert.deepEqual([numbers.cooldownMs, numbers.stableAfterMs, numbers.naughtyMs], [
    65_000,
    300_000,
    43_200_000,
  ]);
  assert.deepEqual([numbers.negentropyFirstReplyMs, numbers.negentropyReplyMs], [10_000, 30_000]);
  assert.deepEqual([numbers.silenceMs, numbers.pageCapMs], [30_000, 600_000]);
  assert.deepEqual([numbers.keepAliveIdleMs, numbers.keepAliveAnswerMs], [60_000, 20_000]);
  assert.deepEqual([numbers.bufferedEvents, numbers.maxEventBytes, numbers.maxRelays], [
    1_000,
    1_048_576,
    200,
  ]);
});

Deno.test("NGIT_TEST=1 shortens the timers of the table, except what somebody set", async () => {
  const fast = await settings({ NGIT_TEST: "1" });
  assert.deepEqual([fast.selfBatchMs, fast.doubleCheckMs], [200, 1_200]);
  assert.deepEqual([fast.baseBackoffMs, fast.connectTimeoutMs, fast.maxBackoffMs], [1_000, 1_000, 3_600_000]);
  assert.deepEqual([fast.negentropyFirstReplyMs, fast.negentropyReplyMs], [1_000, 3_000]);
  assert.deepEqual([fast.silenceMs, fast.pageCapMs], [1_000, 10_000]);
  assert.deepEqual([fast.keepAliveIdleMs, fast.keepAliveAnswerMs], [2_000, 1_000]);
  const chosen = await settings({
    NGIT_TEST: "1",
    NGIT_SYNC_BASE_BACKOFF_SECS: "2",
    NGIT_SYNC_EOSE_TIMEOUT_SECS: "7",
  });
  assert.deepEqual([chosen.baseBackoffMs, chosen.silenceMs], [2_000, 7_000]);
});

Deno.test("every sync option reaches its setting", async () => {
  const set = await settings({
    NGIT_SYNC_MAX_RELAYS: "7",
    NGIT_SYNC_BASE_BACKOFF_SECS: "2",
    NGIT_SYNC_MAX_BACKOFF_SECS: "60",
    NGIT_SYNC_DISCONNECT_CHECK_INTERVAL_SECS: "9",
    NGIT_SYNC_DISABLE_NEGENTROPY: "true",
    NGIT_SYNC_EOSE_TIMEOUT_SECS: "11",
    NGIT_SYNC_PAGINATION_THRESHOLD: "5",
    NGIT_SYNC_MAX_EVENT_BYTES: "1000",
    NGIT_NAUGHTY_LIST_EXPIRATION_HOURS: "1",
    NGIT_MAX_EVENT_FUTURE_SECS: "1000",
  });
  assert.deepEqual([set.maxRelays, set.baseBackoffMs, set.connectTimeoutMs, set.maxBackoffMs], [
    7,
    2_000,
    2_000,
    60_000,
  ]);
  assert.deepEqual([set.disconnectCheckMs, set.disableNegentropy, set.silenceMs], [9_000, true, 11_000]);
  assert.deepEqual([set.pageThreshold, set.maxEventBytes, set.naughtyMs], [5, 1_000, 3_600_000]);
  assert.equal(set.maxFutureSecs, 1_000);
});

Deno.test("S-22 bootstrap relays are a list, normalised, without repetition; a bad one stops the start", async () => {
  const { bootstrapRelays } = await settings({
    NGIT_SYNC_BOOTSTRAP_RELAY_URL: "Relay.example, https://relay.example:443/, ws://other.example:81/path/",
  });
  assert.deepEqual(bootstrapRelays, ["wss://relay.example", "ws://other.example:81/path"]);
  for (const url of ["ftp://relay.example", "wss://user@relay.example", "wss://"]) {
    await loadInvalid({ env: { NGIT_SYNC_BOOTSTRAP_RELAY_URL: url } });
  }
});
