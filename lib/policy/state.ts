import {
  compareNewestFirst,
  declaresObjects,
  type Refusal,
  refuse,
  serialiseEvent,
  type State,
} from "../nostr/mod.ts";
import type { WaitingAnnouncement, WaitingSource, WaitingState } from "../store/types.ts";
import { blacklistRefusal, type ListEntry } from "./curation.ts";
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
import { Authority } from "./maintainers.ts";
import { hostedOwners, type IdentifierView, servedAnnouncement, waitingAnnouncement } from "./view.ts";

/** Everything the decision about one state depends on. Times in milliseconds. */
export interface StateCase {
  readonly state: State;
  readonly source: WaitingSource;
  readonly view: IdentifierView;
  readonly repositoryBlacklist: readonly ListEntry[];
  /** Every declared object is complete in a repository of an owner who trusts the author. */
  readonly complete: boolean;
  /** This id expired from purgatory once. */
  readonly expired: boolean;
  readonly waitingInTotal: number;
  readonly now: number;
}

/** Decides about a well-formed state (relay chapter, table C; GRASP-01). */
export function decideState(input: StateCase): Decision {
  const { state, view, source, now } = input;
  const waiting = view.waitingStates.find(({ row }) => row.event.id === state.event.id)?.row;
  if (waiting) return resubmitted(input, waiting);
  const owners = new Authority(view).ownersTrusting(state.author);
  const anchors = hostedOwners(view);
  if (!owners.some((owner) => anchors.has(owner))) return refused(ofNobody(input));
  const blacklisted = allBlacklisted(owners, input);
  if (blacklisted) return refused(blacklisted);
  const stored = view.storedStates.find(({ author }) => author === state.author);
  if (stored && compareNewestFirst(stored.event, state.event) < 0) return duplicate(NEWER_VERSION_MESSAGE);
  if (source === "sync" && input.expired && !input.complete) {
    return refused(refuse("invalid", "expired", "previously expired from purgatory without git data"));
  }
  const extensions = owners.flatMap((owner) => keepWaiting(waitingAnnouncement(view, owner)?.waiting, now));
  if (untracksRefs(state) && owners.some((owner) => servedAnnouncement(view, owner)?.hosted)) {
    return {
      verdict: ACCEPTED,
      effects: [...extensions, { type: "serve", event: state.event }, {
        type: "forgetExpired",
        id: state.event.id,
      }],
    };
  }
  if (input.complete) {
    return { verdict: ACCEPTED, effects: [...extensions, { type: "release", incoming: state }] };
  }
  if (input.waitingInTotal >= LIMIT.waitingStates) {
    return refused(refuse("rate-limited", "rate_limited", "too many repositories waiting for git data"));
  }
  if (serialiseEvent(state.event).length > LIMIT.waitingStateTextPerAuthorAndIdentifier) {
    return refused(refuse("invalid", "too_large", "state is too large to wait for its git data"));
  }
  return { verdict: HELD, effects: [...extensions, ...holdState(input)] };
}

/** Why a state is refused that no hosted announcement authorises: its own author's may be blacklisted. */
function ofNobody({ state, view, repositoryBlacklist }: StateCase): Refusal {
  const { author: owner, identifier } = state;
  return blacklistRefusal({ owner, identifier }, repositoryBlacklist) ??
    (view.announcements.length === 0
      ? refuse("invalid", "orphan", "no announcement exists for this repository")
      : refuse("invalid", "unauthorized", "author not authorized for this repository"));
}

/** A state that can only concern blacklisted repositories is refused like their announcements. */
function allBlacklisted(owners: readonly string[], input: StateCase): Refusal | undefined {
  const { repositoryBlacklist, view: { identifier } } = input;
  const refusals = owners.map((owner) => blacklistRefusal({ owner, identifier }, repositoryBlacklist));
  return refusals.every((refusal) => refusal !== undefined) ? refusals[0] : undefined;
}

/** NIP-34: a state without refs (or with symbolic ones only) says its author tracks no state here. */
export function untracksRefs(state: State): boolean {
  return !declaresObjects(state) && state.unsatisfiable === undefined;
}

/** True when a served state of the same author is newer, also one that no longer tracks refs. */
export function isReplaced(state: State, served: readonly State[]): boolean {
  return served.some((other) =>
    other.author === state.author && compareNewestFirst(other.event, state.event) < 0
  );
}

/** The effects that put a new state into purgatory; the author's oldest give way at the bounds. */
export function holdState(
  { state, source, view, now }: Pick<StateCase, "state" | "source" | "view" | "now">,
): Effect[] {
  const own = view.waitingStates.filter(({ row }) => row.author === state.author)
    .sort((a, b) => compareNewestFirst(a.row.event, b.row.event));
  let text = serialiseEvent(state.event).length;
  const surplus = own.filter(({ row }, index) => {
    text += serialiseEvent(row.event).length;
    return index >= LIMIT.waitingStatesPerAuthorAndIdentifier - 1 ||
      text > LIMIT.waitingStateTextPerAuthorAndIdentifier;
  });
  const row: WaitingState = {
    event: state.event,
    author: state.author,
    identifier: state.identifier,
    source,
    firstEnteredAt: now,
    enteredAt: now,
    deadlineAt: now + DURATION.stateMs,
  };
  return [
    ...surplus.map(({ row: old }): Effect => ({ type: "dropState", id: old.event.id, reason: "overflow" })),
    { type: "holdState", row },
    { type: "forgetExpired", id: state.event.id },
  ];
}

/** A user's copy of a synced waiting state makes it direct and restarts its window. */
function resubmitted({ source, now }: StateCase, waiting: WaitingState): Decision {
  if (source === "sync" || waiting.source === "direct") return duplicate(IN_PURGATORY_MESSAGE);
  const deadlineAt = Math.min(now + DURATION.stateMs, waiting.firstEnteredAt + DURATION.stateCapMs);
  return {
    verdict: { ok: true, outcome: "duplicate", message: IN_PURGATORY_MESSAGE },
    effects: [{ type: "holdState", row: { ...waiting, source: "direct", enteredAt: now, deadlineAt } }],
  };
}

/** A waiting announcement lives at least its full window longer; a soft-expired one is revived. */
export function keepWaiting(row: WaitingAnnouncement | undefined, now: number): Effect[] {
  if (!row) return [];
  const cap = row.firstEnteredAt + DURATION.announcementCapMs;
  const fresh = Math.min(now + DURATION.announcementMs, cap);
  if (row.phase === "soft") {
    return [
      { type: "ensureRepository", owner: row.owner },
      { type: "holdAnnouncement", row: { ...row, phase: "active", deadlineAt: fresh }, revives: true },
    ];
  }
  const deadlineAt = Math.max(row.deadlineAt, fresh);
  return deadlineAt === row.deadlineAt ? [] : [{ type: "holdAnnouncement", row: { ...row, deadlineAt } }];
}
