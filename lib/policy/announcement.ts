import { type Announcement, compareNewestFirst, refuse } from "../nostr/mod.ts";
import type { WaitingAnnouncement, WaitingSource } from "../store/types.ts";
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
import {
  hostedOwners,
  type IdentifierView,
  newestByAuthor,
  servedAnnouncement,
  waitingAnnouncement,
} from "./view.ts";

/** Everything the decision about one announcement depends on. Times in milliseconds. */
export interface AnnouncementCase {
  readonly announcement: Announcement;
  readonly classification: Classification;
  readonly source: WaitingSource;
  readonly view: IdentifierView;
  /** The owner's repository holds at least one branch or tag. */
  readonly proven: boolean;
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
      return hosted(input, waiting);
  }
}

/** The identical waiting event again: a user renews it, a synced copy changes nothing. */
function resubmitted(input: AnnouncementCase, waiting: WaitingAnnouncement): Decision {
  if (input.source === "sync") return duplicate(IN_PURGATORY_MESSAGE);
  return { verdict: HELD, effects: hold(input, { ...waiting, source: "direct" }) };
}

function hosted(input: AnnouncementCase, waiting: WaitingAnnouncement | undefined): Decision {
  const { announcement, view, source, now } = input;
  if (source === "sync" && input.expired) {
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
  return { verdict: HELD, effects: hold(input, row) };
}

/** (Re)starts the window of `row`, and gives the states it authorises at least as long. */
function hold(input: AnnouncementCase, row: WaitingAnnouncement): Effect[] {
  const { announcement, view, now } = input;
  const deadlineAt = Math.min(now + DURATION.announcementMs, row.firstEnteredAt + DURATION.announcementCapMs);
  const newest = new Map(newestByAuthor(view)).set(announcement.owner, announcement);
  const members = maintainerSet(announcement.owner, newest);
  const states = view.waitingStates.filter(({ row: state }) => members.has(state.author));
  return [
    { type: "ensureRepository", owner: announcement.owner },
    { type: "holdAnnouncement", row: { ...row, phase: "active", enteredAt: now, deadlineAt } },
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

/** Withdrawal of a waiting announcement, then the maintainer exception, else the refusal. */
function notListed(
  input: AnnouncementCase,
  classification: Classification & { route: "notListed" },
  waiting: WaitingAnnouncement | undefined,
): Decision {
  const { announcement, view } = input;
  const withdrawn = waiting !== undefined && announcement.event.created_at > waiting.event.created_at;
  const remaining: IdentifierView = withdrawn
    ? { ...view, announcements: view.announcements.filter((known) => known.waiting !== waiting) }
    : view;
  const effects = withdrawn ? withdraw(remaining, announcement.owner) : [];
  const ownHosted = servedAnnouncement(view, announcement.owner)?.hosted ?? false;
  if (!ownHosted && isMaintainerElsewhere(remaining, announcement.owner)) {
    return {
      verdict: ACCEPTED,
      effects: [...effects, { type: "serve", event: announcement.event, hosted: false }, { type: "release" }],
    };
  }
  return { verdict: classification.refusal, effects };
}

/** The owner took the repository elsewhere before any data arrived. */
function withdraw(remaining: IdentifierView, owner: string): Effect[] {
  return [
    { type: "removeRepository", owner },
    { type: "dropAnnouncement", owner },
    ...statesWithoutOwner(remaining).map((id): Effect => ({ type: "dropState", id })),
  ];
}

/** Waiting states whose author no remaining announcement authorises. */
export function statesWithoutOwner(view: IdentifierView): string[] {
  const authority = new Authority(view);
  return view.waitingStates
    .filter(({ row }) => authority.ownersTrusting(row.author).length === 0)
    .map(({ row }) => row.event.id);
}

/** The author is in the maintainer set of a hosted announcement other than its own. */
function isMaintainerElsewhere(view: IdentifierView, author: string): boolean {
  const anchors = hostedOwners(view);
  return new Authority(view).ownersTrusting(author).some((owner) => owner !== author && anchors.has(owner));
}
