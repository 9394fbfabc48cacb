import {
  compareNewestFirst,
  identifierProblem,
  isHex64,
  isOid,
  isPullRequest,
  KIND,
  type NostrEvent,
  parseAnnouncement,
  parsePullRequest,
  parseState,
  serialiseEvent,
} from "../nostr/mod.ts";
import { DURATION, LIMIT } from "../policy/mod.ts";
import type {
  ExpiredId,
  Placeholder,
  WaitingAnnouncement,
  WaitingPullRequest,
  WaitingSource,
  WaitingState,
} from "../store/mod.ts";
import { eventOf, type Fields, fieldsOf, isAbout, secondsOf, systemTime } from "./legacy_file.ts";

/** Most expired ids that are taken over; the newest are. */
const MAX_EXPIRED = 100_000;

/** What `purgatory-state.json` holds, as rows; signatures are not checked yet. */
export interface LegacyEntries {
  readonly announcements: readonly WaitingAnnouncement[];
  readonly states: readonly WaitingState[];
  readonly pullRequests: readonly WaitingPullRequest[];
  /** The file does not know their repositories. */
  readonly placeholders: readonly Placeholder[];
  readonly expired: readonly ExpiredId[];
  /** Entries that are none. */
  readonly damaged: number;
  /** Entries beyond the bounds of purgatory, or of a feature this version does not have. */
  readonly surplus: number;
}

/**
 * Reads a file of version 1 that was saved at `savedAt` (ms). Deadlines are absolute, so that downtime
 * counts, and never later than `now` (ms) plus the full duration. Undefined when the file as a whole
 * makes no sense; an entry that makes none is left out and counted.
 */
export function parseLegacyEntries(body: Fields, savedAt: number, now: number): LegacyEntries | undefined {
  const announcements = fieldsOf(body.announcement_purgatory ?? {});
  const states = fieldsOf(body.state_events);
  const pullRequests = fieldsOf(body.pr_events);
  const expired = fieldsOf(body.expired_events);
  if (!announcements || !states || !pullRequests || !expired) return undefined;
  const reader = new EntryReader(savedAt, now);
  for (const [key, entry] of Object.entries(announcements)) reader.announcement(key, entry);
  for (const [identifier, list] of Object.entries(states)) reader.states(identifier, list);
  for (const [id, entry] of Object.entries(pullRequests)) reader.pullRequest(id, entry);
  for (const [id, time] of Object.entries(expired)) reader.expired(id, time);
  return reader.entries();
}

interface Times {
  readonly firstEnteredAt: number;
  readonly enteredAt: number;
  readonly deadlineAt: number;
}

class EntryReader {
  readonly #savedAt: number;
  readonly #now: number;
  readonly #announcements: WaitingAnnouncement[] = [];
  readonly #states: WaitingState[] = [];
  readonly #pullRequests: WaitingPullRequest[] = [];
  readonly #placeholders: Placeholder[] = [];
  readonly #expired: ExpiredId[] = [];
  #damaged = 0;
  #scoped = 0;

  constructor(savedAt: number, now: number) {
    this.#savedAt = savedAt;
    this.#now = now;
  }

  announcement(key: string, value: unknown): void {
    const { event: json, owner, identifier, ...entry } = fieldsOf(value) ?? {};
    const event = eventOf(json);
    const times = this.#times(entry, DURATION.announcementMs);
    if (
      !event || !times || !isAbout(event, KIND.announcement, owner, identifier) ||
      key !== `${owner}:${identifier}` || !parseAnnouncement(event).ok
    ) {
      this.#damaged++;
    } else {
      this.#announcements.push({
        event,
        owner: event.pubkey,
        identifier: String(identifier),
        phase: "active",
        source: "direct",
        ...times,
      });
    }
  }

  states(identifier: string, list: unknown): void {
    if (!Array.isArray(list)) this.#damaged++;
    else for (const entry of list as unknown[]) this.#state(identifier, entry);
  }

  #state(identifier: string, value: unknown): void {
    const entry = fieldsOf(value) ?? {};
    const event = eventOf(entry.event);
    const times = this.#times(entry, DURATION.stateMs);
    const source = sourceOf(entry.source);
    if (
      !event || !times || !source || !isAbout(event, KIND.state, entry.author, identifier) ||
      entry.identifier !== identifier || !parseState(event).ok || identifierProblem(identifier)
    ) {
      this.#damaged++;
    } else {
      this.#states.push({ event, author: event.pubkey, identifier, source, ...times });
    }
  }

  /** A pull request; or, without an event, a ref that was pushed before its event arrived. */
  pullRequest(id: string, value: unknown): void {
    const entry = fieldsOf(value) ?? {};
    if ((entry.event ?? null) === null) return this.#placeholder(id, entry);
    const event = eventOf(entry.event);
    const times = this.#times(entry, DURATION.pullRequestMs);
    const source = sourceOf(entry.source);
    const parsed = event && event.id === id && isPullRequest(event.kind)
      ? parsePullRequest(event)
      : undefined;
    if (!times || !source || !parsed?.ok) {
      this.#damaged++;
      return;
    }
    const { event: whole, declaredCommit, targets } = parsed.pullRequest;
    this.#pullRequests.push({ event: whole, commit: declaredCommit, targets, source, ...times });
  }

  #placeholder(id: string, entry: Fields): void {
    const times = this.#times(entry, DURATION.placeholderMs);
    const commit = String(entry.commit).toLowerCase();
    if (!isHex64(id) || !times || !isOid(commit)) this.#damaged++;
    else if ((entry.prs_scope ?? null) !== null) this.#scoped++;
    else this.#placeholders.push({ id, commit, repositories: [], ...times });
  }

  expired(id: string, time: unknown): void {
    const expiredAt = systemTime(time);
    if (!isHex64(id) || expiredAt === undefined) {
      this.#damaged++;
      return;
    }
    const at = Math.min(expiredAt, this.#now);
    const until = at + DURATION.expiredMemoryMs;
    if (until > this.#now) this.#expired.push({ id, at, until });
  }

  entries(): LegacyEntries {
    const ofAuthor = ({ author, identifier }: WaitingState) => [`${author}:${identifier}`];
    const perAuthor = within(
      this.#states.sort(newestFirst),
      ofAuthor,
      LIMIT.waitingStatesPerAuthorAndIdentifier,
    );
    const kept = {
      announcements: atMost(
        LIMIT.waitingAnnouncements,
        within(
          this.#announcements.sort(newestFirst),
          ({ owner }) => [owner],
          LIMIT.waitingAnnouncementsPerAuthor,
        ),
      ),
      states: atMost(
        LIMIT.waitingStates,
        within(perAuthor, ofAuthor, LIMIT.waitingStateTextPerAuthorAndIdentifier, textLength),
      ),
      pullRequests: atMost(
        LIMIT.waitingPullRequests,
        within(
          this.#pullRequests.sort(newestFirst),
          ({ targets }) => targets.map(({ owner, identifier }) => `${owner}:${identifier}`),
          LIMIT.waitingPullRequestsPerRepository,
        ),
      ),
      placeholders: atMost(LIMIT.placeholders, this.#placeholders),
      expired: atMost(MAX_EXPIRED, this.#expired.sort((a, b) => b.at - a.at)),
    };
    const all = [this.#announcements, this.#states, this.#pullRequests, this.#placeholders, this.#expired];
    const surplus = countOf(all) - countOf(Object.values(kept)) + this.#scoped;
    return { ...kept, damaged: this.#damaged, surplus };
  }

  /** Undefined when the entry has none. A clock that was set back changes nothing. */
  #times(entry: Fields, fullMs: number): Times | undefined {
    const entered = secondsOf(entry.created_at_offset_secs);
    const left = secondsOf(entry.expires_at_offset_secs);
    if (entered === undefined || left === undefined) return undefined;
    const enteredAt = Math.min(this.#savedAt + entered, this.#now);
    const deadlineAt = Math.min(this.#savedAt + left, this.#now + fullMs);
    return { firstEnteredAt: enteredAt, enteredAt, deadlineAt };
  }
}

/** "direct" when the file does not say: files of before there were other sources do not. */
function sourceOf(word: unknown): WaitingSource | undefined {
  if (word === undefined || word === "Direct") return "direct";
  return word === "Sync" ? "sync" : undefined;
}

function newestFirst(a: { readonly event: NostrEvent }, b: { readonly event: NostrEvent }): number {
  return compareNewestFirst(a.event, b.event);
}

function textLength({ event }: { readonly event: NostrEvent }): number {
  return serialiseEvent(event).length;
}

function countOf(lists: readonly (readonly unknown[])[]): number {
  return lists.reduce((sum, { length }) => sum + length, 0);
}

function atMost<T>(most: number, rows: readonly T[]): readonly T[] {
  return rows.slice(0, most);
}

/** Those of `rows`, in their order, that fit: under none of its keys a row exceeds the sum of `most`. */
function within<T>(
  rows: readonly T[],
  keysOf: (row: T) => readonly string[],
  most: number,
  weigh: (row: T) => number = () => 1,
): readonly T[] {
  const sums = new Map<string, number>();
  return rows.filter((row) => {
    const weight = weigh(row);
    const keys = keysOf(row);
    if (keys.some((key) => (sums.get(key) ?? 0) + weight > most)) return false;
    for (const key of keys) sums.set(key, (sums.get(key) ?? 0) + weight);
    return true;
  });
}
