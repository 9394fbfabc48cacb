import { type Announcement, compareNewestFirst, KIND, refuse, type State } from "../nostr/mod.ts";
import type { RetiredRepository, WaitingAnnouncement, WaitingSource } from "../store/types.ts";
import type { Classification } from "./curation.ts";
import { DURATION, LIMIT } from "./durations.ts";
import {
  ACCEPTED,
  type Decision,
  duplicate,
  type Effect,
  HELD,
  IN_PURGATORY_MESSAGE,
  NEWER_VERSION_MESSAGE,
  refused,
} from "./effects.ts";
import { Authority, maintainerSet } from "./maintainers.ts";
import { orphanedStates, statesWithoutOwner } from "./orphans.ts";
import { holdState } from "./state.ts";
import {
  hostedOwners,
  type IdentifierView,
  type KnownAnnouncement,
  newestByAuthor,
  servedAnnouncement,
  waitingAnnouncement,
} from "./view.ts";

/** Everything the decision about one announcement depends on. Times in milliseconds. */
export interface AnnouncementCase {
  readonly announcement: Announcement;
  readonly classification: Classification;
  readonly source: WaitingSource;
  /** The operator moves a server here: a repository with refs is served without being pushed to again. */
  readonly adopts: boolean;
  readonly view: IdentifierView;
  /** The owner's repository holds at least one branch or tag. */
  readonly proven: boolean;
  /** What is held back of this repository, when it was deleted or withdrawn before. */
  readonly retired: RetiredRepository | undefined;
  /** The states held back with it that nobody deleted since. */
  readonly retiredStates: readonly State[];
  /** This id expired from purgatory once. */
  readonly expired: boolean;
  readonly waitingOfAuthor: number;
  readonly waitingInTotal: number;
  readonly now: number;
}

/** Decides about a well-formed announcement (relay chapter, tables A and B; GRASP-01). */
export function decideAnnouncement(input: AnnouncementCase): Decision {
  const { announcement, classification, view } = input;
  const served = servedAnnouncement(view, announcement.owner);
  const waiting = waitingAnnouncement(view, announcement.owner)?.waiting;
  const event = announcement.event;
  if (waiting?.event.id === event.id) return resubmitted(input, waiting);
  const known = [served?.announcement.event, waiting?.event];
  if (known.some((version) => version && compareNewestFirst(version, event) < 0)) {
    return duplicate(NEWER_VERSION_MESSAGE);
  }
  switch (classification.route) {
    case "final":
      return refused(classification.refusal);
    case "notListed":
      return notListed(input, classification, waiting);
    case "host":
    case "archive":
      return hosted(input, waiting);
  }
}

/** The identical waiting event again: a user renews it, a synced copy changes nothing. */
function resubmitted(input: AnnouncementCase, waiting: WaitingAnnouncement): Decision {
  if (input.adopts && input.proven) return adopted(input);
  if (input.source === "sync" && !input.adopts) return duplicate(IN_PURGATORY_MESSAGE);
  return { verdict: HELD, effects: hold(input, { ...waiting, source: "direct" }) };
}

function hosted(input: AnnouncementCase, waiting: WaitingAnnouncement | undefined): Decision {
  const { announcement, view, source, now } = input;
  if (input.adopts && input.proven) return adopted(input);
  if (source === "sync" && input.expired && !input.adopts) {
    return refused(refuse("invalid", "expired", "previously expired from purgatory without git data"));
  }
  if (waiting) {
    return { verdict: HELD, effects: hold(input, { ...waiting, event: announcement.event, source }) };
  }
  if (servedAnnouncement(view, announcement.owner)?.hosted && input.proven) {
    return {
      verdict: ACCEPTED,
      effects: [{ type: "serve", event: announcement.event, hosted: true }, { type: "release" }],
    };
  }
  if (
    input.waitingOfAuthor >= LIMIT.waitingAnnouncementsPerAuthor ||
    input.waitingInTotal >= LIMIT.waitingAnnouncements
  ) {
    return refused(refuse("rate-limited", "rate_limited", "too many repositories waiting for git data"));
  }
  const row: WaitingAnnouncement = {
    event: announcement.event,
    owner: announcement.owner,
    identifier: announcement.identifier,
    phase: "active",
    source,
    firstEnteredAt: now,
    enteredAt: now,
    deadlineAt: now,
  };
  return { verdict: HELD, effects: [...restore(input), ...hold(input, row)] };
}

/** Served with the git data that is there; what waits for this identifier is looked at again. */
function adopted({ announcement, view }: AnnouncementCase): Decision {
  const { event, owner } = announcement;
  const waits = waitingAnnouncement(view, owner) !== undefined;
  return {
    verdict: ACCEPTED,
    effects: [
      { type: "serve", event, hosted: true },
      ...(waits ? [{ type: "dropAnnouncement", owner, reason: "superseded" } as const] : []),
      { type: "release" },
    ],
  };
}

/** What was held back returns with its directory; its states wait like any other and are judged by it. */
function restore({ retired, retiredStates, view, now }: AnnouncementCase): Effect[] {
  if (!retired) return [];
  const states = retiredStates.flatMap((state) => holdState({ state, source: "sync", view, now }));
  return [{ type: "restore", retired }, ...states];
}

/** (Re)starts the window of `row`, and gives the states it authorises at least as long. */
function hold(input: AnnouncementCase, row: WaitingAnnouncement): Effect[] {
  const { announcement, view, now } = input;
  const deadlineAt = Math.min(now + DURATION.announcementMs, row.firstEnteredAt + DURATION.announcementCapMs);
  const before = waitingAnnouncement(view, announcement.owner)?.waiting;
  const newest = new Map(newestByAuthor(view)).set(announcement.owner, announcement);
  const members = maintainerSet(announcement.owner, newest);
  const states = view.waitingStates.filter(({ row: state }) => members.has(state.author));
  return [
    { type: "ensureRepository", owner: announcement.owner },
    {
      type: "holdAnnouncement",
      row: { ...row, phase: "active", enteredAt: now, deadlineAt },
      revives: before?.phase === "soft",
      replaces: before !== undefined && before.event.id !== row.event.id,
    },
    { type: "forgetExpired", id: announcement.event.id },
    ...states.map(({ row: state }): Effect => ({
      type: "holdState",
      row: {
        ...state,
        deadlineAt: Math.max(
          state.deadlineAt,
          Math.min(now + DURATION.stateMs, state.firstEnteredAt + DURATION.stateCapMs),
        ),
      },
    })),
    { type: "release" },
  ];
}

/** Withdrawal, then the maintainer exception, else the refusal (relay chapter 3.5). */
function notListed(
  input: AnnouncementCase,
  classification: Classification & { route: "notListed" },
  waiting: WaitingAnnouncement | undefined,
): Decision {
  const { announcement, view } = input;
  const { owner } = announcement;
  const served = servedAnnouncement(view, owner);
  const leavesWaiting = waiting !== undefined && announcement.event.created_at > waiting.event.created_at;
  const leavesHosted = served?.hosted === true;
  const remaining: IdentifierView = {
    ...view,
    announcements: view.announcements.filter((known) =>
      !(leavesWaiting && known.waiting === waiting) && !(leavesHosted && known === served)
    ),
  };
  const isMaintainer = isMaintainerElsewhere(remaining, owner);
  const effects = [
    ...(leavesWaiting ? withdrawWaiting(remaining, owner) : []),
    ...(leavesHosted ? withdrawHosted(input, served, remaining, isMaintainer) : []),
  ];
  if (isMaintainer) {
    const serve: Effect = { type: "serve", event: announcement.event, hosted: false };
    return { verdict: ACCEPTED, effects: [...effects, serve, { type: "release" }] };
  }
  return { verdict: leavesHosted ? HOSTING_ENDED : classification.refusal, effects };
}

const HOSTING_ENDED = refuse(
  "blocked",
  "not_listed",
  "announcement no longer lists this service; hosting ended",
);

/**
 * The owner of a served repository took it elsewhere: it is retired. Unless the new announcement is
 * served in its place, older versions are kept from coming back.
 */
function withdrawHosted(
  { announcement }: AnnouncementCase,
  served: KnownAnnouncement,
  remaining: IdentifierView,
  isMaintainer: boolean,
): Effect[] {
  const { owner, identifier, event } = announcement;
  const states = isMaintainer ? [] : orphanedStates(remaining);
  const retire: Effect = {
    type: "retire",
    owner,
    reason: "withdrawn",
    events: [served.announcement.event, ...states],
  };
  if (isMaintainer) return [retire];
  const tombstone = {
    type: "coordinate",
    kind: KIND.announcement,
    pubkey: owner,
    identifier,
    until: event.created_at,
  } as const;
  return [
    retire,
    { type: "forbid", tombstone },
    ...statesWithoutOwner(remaining).map((id): Effect => ({
      type: "dropState",
      id,
      reason: "service_change",
    })),
  ];
}

/** The owner took the repository elsewhere before any data arrived. */
function withdrawWaiting(remaining: IdentifierView, owner: string): Effect[] {
  return [
    { type: "removeRepository", owner },
    { type: "dropAnnouncement", owner, reason: "service_change" },
    ...statesWithoutOwner(remaining).map((id): Effect => ({
      type: "dropState",
      id,
      reason: "service_change",
    })),
  ];
}

/** The author is in the maintainer set of a hosted announcement other than its own. */
function isMaintainerElsewhere(view: IdentifierView, author: string): boolean {
  const anchors = hostedOwners(view);
  return new Authority(view).ownersTrusting(author).some((owner) => owner !== author && anchors.has(owner));
}
