/** How history is fetched after a connect. */
export type Strategy = "fresh" | "quick";

/** What was known of the former connection, read before the new one overwrites it. */
export interface FormerConnection {
  /** Wall time of its last frame in milliseconds; undefined when there was none in this process. */
  readonly lastConnected: number | undefined;
  /** Monotonic time at which its loss was noticed. */
  readonly disconnectedAt: number | undefined;
}

/** Fresh start or quick reconnect: quick up to and including `quickReconnectMs` after the loss was noticed. */
export function chooseStrategy(
  former: FormerConnection,
  nowMonotonic: number,
  quickReconnectMs: number,
): Strategy {
  if (former.lastConnected === undefined || former.disconnectedAt === undefined) return "fresh";
  return nowMonotonic - former.disconnectedAt <= quickReconnectMs ? "quick" : "fresh";
}

/**
 * The `since` of a catch-up in seconds: the last moment (wall ms) all was followed, minus the
 * overlap that absorbs clock skew. Never negative, and never later than the overlap before now,
 * also when the wall clock was set back meanwhile.
 */
export function sinceOf(lastConnected: number, nowMs: number, overlapSecs: number): number {
  return Math.max(0, Math.floor(Math.min(lastConnected, nowMs) / 1000) - overlapSecs);
}
