const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Lifetimes of waiting events, in milliseconds. GRASP-01 "purgatory" asks for 30 minutes. */
export const DURATION = {
  /** Waiting time of an announcement, and of one revived from soft expiry. */
  announcementMs: 30 * MINUTE,
  /** How long a soft-expired announcement is kept after its repository was deleted. */
  softExpiredMs: DAY,
  /** Waiting time of a state. */
  stateMs: 30 * MINUTE,
  /** Waiting time of a pull request. */
  pullRequestMs: 30 * MINUTE,
  /** Absolute life of a pull request without git data. */
  pullRequestCapMs: 2 * HOUR,
  /** Waiting time of a pushed `refs/nostr/` ref without event: the 20 minutes of GRASP-01. */
  placeholderMs: 20 * MINUTE,
  /** Least remaining time of a state whose push is authorised. */
  pushFloorMs: 15 * MINUTE,
  /** Absolute life of an announcement without git data, whatever extends it. */
  announcementCapMs: 48 * HOUR,
  /** Absolute life of a state without git data. */
  stateCapMs: 2 * HOUR,
  /** Least remaining time of an active entry after a restart, to let a cut-off push be repeated. */
  restartGraceMs: 2 * MINUTE,
  /** How often overdue entries are looked for; an entry still authorises until then. */
  sweepMs: MINUTE,
  /** How long an expired id blocks re-entry by sync. */
  expiredMemoryMs: 7 * DAY,
  /** The same when no git server could be reached: the next daily sync may try again. */
  expiredUnreachableMs: DAY,
  /** How often the memory of expired ids is pruned. */
  pruneMs: DAY,
} as const;

/** Bounds of purgatory; beyond them newcomers are refused or the oldest entry gives way. */
export const LIMIT = {
  waitingAnnouncementsPerAuthor: 50,
  waitingAnnouncements: 5_000,
  softExpiredAnnouncements: 20_000,
  waitingStatesPerAuthorAndIdentifier: 20,
  /** Characters of their stored text, together: every look at the identifier reads them. */
  waitingStateTextPerAuthorAndIdentifier: 4 << 20,
  waitingStates: 20_000,
  waitingPullRequestsPerRepository: 1_000,
  waitingPullRequests: 20_000,
  placeholdersPerRepository: 100,
  placeholders: 10_000,
  /** Of all waiting pull requests, those for repositories unknown here (GRASP-06); the rest is for hosted ones. */
  waitingContributions: 10_000,
  /** Of all placeholders, those that pushes below `/prs/` may add to. */
  contributionPlaceholders: 5_000,
} as const;
