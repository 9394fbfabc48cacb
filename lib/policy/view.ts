import {
  type Announcement,
  compareNewestFirst,
  type NostrEvent,
  parseAnnouncement,
  parsePullRequest,
  parseState,
  type PullRequest,
  type State,
} from "../nostr/mod.ts";
import type {
  IdentifierRows,
  Placeholder,
  WaitingAnnouncement,
  WaitingPullRequest,
  WaitingState,
} from "../store/types.ts";

/** An announcement we know, served or waiting. */
export interface KnownAnnouncement {
  readonly announcement: Announcement;
  /** Served with a repository here, or waiting: false only for the maintainer exception. */
  readonly hosted: boolean;
  /** The purgatory row when it waits; undefined when it is served. */
  readonly waiting: WaitingAnnouncement | undefined;
}

/** A state in purgatory. */
export interface KnownWaitingState {
  readonly state: State;
  readonly row: WaitingState;
}

/** A pull request in purgatory. */
export interface KnownWaitingPullRequest {
  readonly pullRequest: PullRequest;
  readonly row: WaitingPullRequest;
}

/** A read-only picture of everything known about one identifier: what pure policy decides on. */
export interface IdentifierView {
  readonly identifier: string;
  readonly announcements: readonly KnownAnnouncement[];
  readonly storedStates: readonly State[];
  readonly waitingStates: readonly KnownWaitingState[];
  /** Waiting pull requests that name a repository of this identifier. */
  readonly waitingPullRequests: readonly KnownWaitingPullRequest[];
  /** Pushed `refs/nostr/` refs without event in repositories of this identifier. */
  readonly placeholders: readonly Placeholder[];
}

/** Builds the view from database rows; rows that no longer parse are left out. */
export function viewOf(identifier: string, rows: IdentifierRows): IdentifierView {
  return {
    identifier,
    announcements: [
      ...rows.announcements.flatMap(({ event, hosted }) => known(event, hosted, undefined)),
      ...rows.waitingAnnouncements.flatMap((row) => known(row.event, true, row)),
    ],
    storedStates: rows.states.flatMap(stateOf),
    waitingStates: rows.waitingStates.flatMap((row) => stateOf(row.event).map((state) => ({ state, row }))),
    waitingPullRequests: rows.waitingPullRequests.flatMap((row) => {
      const parsed = parsePullRequest(row.event);
      return parsed.ok ? [{ pullRequest: parsed.pullRequest, row }] : [];
    }),
    placeholders: rows.placeholders,
  };
}

function known(
  event: NostrEvent,
  hosted: boolean,
  waiting: WaitingAnnouncement | undefined,
): KnownAnnouncement[] {
  const parsed = parseAnnouncement(event);
  return parsed.ok ? [{ announcement: parsed.announcement, hosted, waiting }] : [];
}

function stateOf(event: NostrEvent): State[] {
  const parsed = parseState(event);
  return parsed.ok ? [parsed.state] : [];
}

/** The served announcement of `owner`. */
export function servedAnnouncement(view: IdentifierView, owner: string): KnownAnnouncement | undefined {
  return view.announcements.find((known) => known.announcement.owner === owner && !known.waiting);
}

/** The waiting announcement (active or soft-expired) of `owner`. */
export function waitingAnnouncement(view: IdentifierView, owner: string): KnownAnnouncement | undefined {
  return view.announcements.find((known) => known.announcement.owner === owner && known.waiting);
}

/** The newest announcement of each author, served or waiting. */
export function newestByAuthor(view: IdentifierView): ReadonlyMap<string, Announcement> {
  const newest = new Map<string, Announcement>();
  for (const { announcement } of view.announcements) {
    const other = newest.get(announcement.owner);
    if (!other || compareNewestFirst(announcement.event, other.event) < 0) {
      newest.set(announcement.owner, announcement);
    }
  }
  return newest;
}

/** Owners with a hosted announcement: served by the host route, or waiting in either phase. */
export function hostedOwners(view: IdentifierView): ReadonlySet<string> {
  return new Set(view.announcements.filter((known) => known.hosted).map((known) => known.announcement.owner));
}

/** The view without announcements that wait: what relatedness and pull requests go by. */
export function servedView(view: IdentifierView, promoted: ReadonlySet<string> = new Set()): IdentifierView {
  const isServed = ({ announcement, waiting }: KnownAnnouncement) =>
    !waiting || promoted.has(announcement.owner);
  return { ...view, announcements: view.announcements.filter(isServed) };
}
