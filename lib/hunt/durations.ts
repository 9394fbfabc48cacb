const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Lengths of the hunt, in milliseconds. */
export const HUNT = {
  /** Wait before looking for the data of an event a user sent: the push is probably on its way. */
  directMs: 180 * SECOND,
  /** The same for an event another relay delivered, and after a start; bursts become one hunt. */
  syncedMs: 500,
  /** Pause after the first incomplete hunt; doubles with each. */
  firstPauseMs: 20 * SECOND,
  longestPauseMs: 120 * SECOND,
  /** How long a server is not asked again for an object it said it lacks. */
  absentMs: 10 * MINUTE,
  /** A hunt asks no further server after this; the next one begins with those it did not reach. */
  huntMs: 10 * MINUTE,
  /** How long a host the address guard refused is left alone. */
  blockedMs: HOUR,
  /** Window of the limit of starts per host. */
  hostWindowMs: MINUTE,
  /** Idle records of hosts are forgotten after this. */
  hostIdleMs: 10 * MINUTE,
  /** Longest time a server may send us away, and the time when it names none. */
  longestRetryAfterMs: HOUR,
  retryAfterMs: MINUTE,
  /** How often keep refs nothing waits for are removed. */
  upkeepMs: MINUTE,
  /** Between two repositories looked at after a start. */
  upkeepPaceMs: 20,
  /** Name resolution, connection and the first answer of a server. */
  preflightMs: 10 * SECOND,
  /** A fetch without progress ends after this. */
  stalledMs: 60 * SECOND,
  /** A fetch ends after this, whatever it does. */
  fetchMs: 300 * SECOND,
  /** How often a running fetch is measured. */
  measureMs: 250,
} as const;

/** Bounds of what strangers can make the hunt remember or do. */
export const HUNT_LIMIT = {
  /** Clone values read per event. */
  urlsPerEvent: 20,
  /** URLs tried per hunt: of waiting pull requests, of the maintainers, of others. */
  pullRequestUrls: 40,
  announcedUrls: 40,
  listingUrls: 20,
  /** Objects one server said it lacks, remembered per unit and URL; the rest is asked again. */
  absentPerUrl: 1_024,
  urlsRemembered: 200,
  hosts: 10_000,
} as const;

/** Pause after the `attempts`-th incomplete hunt in a row, in milliseconds: 20, 40, 80, then 120 s. */
export function pauseAfter(attempts: number): number {
  const doublings = Math.min(Math.max(attempts, 1) - 1, 10);
  return Math.min(HUNT.firstPauseMs * 2 ** doublings, HUNT.longestPauseMs);
}
