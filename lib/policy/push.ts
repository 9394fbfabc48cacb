import { compareNewestFirst, declaresObjects, type State, ZERO_OID } from "../nostr/mod.ts";
import type { WaitingAnnouncement, WaitingState } from "../store/types.ts";
import { DURATION } from "./durations.ts";
import type { Effect } from "./effects.ts";
import { Authority } from "./maintainers.ts";
import { keepWaiting } from "./state.ts";
import { type IdentifierView, waitingAnnouncement } from "./view.ts";

/** One ref update of a push: object ids of 40 hex digits, zeros meaning "none". */
export interface RefCommand {
  readonly oldOid: string;
  readonly newOid: string;
  readonly ref: string;
}

/** Everything the decision about one push depends on. */
export interface PushCase {
  readonly view: IdentifierView;
  /** Owner in the URL; only this owner's maintainer set counts. */
  readonly owner: string;
  readonly commands: readonly RefCommand[];
  /** Which declared objects the pushed repository already holds. */
  readonly present: ReadonlySet<string>;
  /** Milliseconds. */
  readonly now: number;
}

/** A push is allowed as a whole or refused as a whole; `reasons` holds one line per ref. */
export type PushVerdict =
  | {
    readonly ok: true;
    /** Purgatory entries the push uses: they must not expire while it runs. */
    readonly pins: { readonly states: readonly string[]; readonly announcement: boolean };
    readonly effects: readonly Effect[];
    /** False for a push that changes nothing: it releases nothing either. */
    readonly changesRefs: boolean;
  }
  | { readonly ok: false; readonly text: string; readonly reasons: ReadonlyMap<string, string> };

const PREFIX = "authorisation failed: ";
const OTHER_REF_REFUSED = `${PREFIX}refused because another ref in this push was refused`;
const MAX_DIAGNOSED_REFS = 10;

/** States that may authorise a push to `owner`, best first: waiting ones newer than the served one, then that. */
export function candidateStates(view: IdentifierView, owner: string): State[] {
  const members = new Authority(view).of(owner);
  if (!members) return [];
  const governs = (state: State) => members.has(state.author) && declaresObjects(state);
  const newestFirst = (a: State, b: State) => compareNewestFirst(a.event, b.event);
  const served = view.storedStates.filter(governs).sort(newestFirst)[0];
  const waiting = view.waitingStates.map(({ state }) => state).filter(governs)
    .filter((state) => !served || newestFirst(state, served) < 0).sort(newestFirst);
  return served ? [...waiting, served] : waiting;
}

/** Decides whether a push is authorised by a signed state (GRASP-01; git chapter, section 2). */
export function decidePush(input: PushCase): PushVerdict {
  const { view, owner, commands } = input;
  const misplaced = commands.filter(({ ref }) => !/^refs\/(heads|tags)\//.test(ref));
  if (misplaced.length > 0) {
    const text = `${PREFIX}only refs/heads, refs/tags and refs/nostr are accepted`;
    return refusePush(commands, text, new Map(misplaced.map(({ ref }) => [ref, text])));
  }
  const known = view.announcements.filter(({ announcement }) => announcement.owner === owner);
  if (known.length === 0) {
    const text = view.announcements.length === 0
      ? "No repository announcement found"
      : `No repository announcement found for owner ${owner}`;
    return refuseWhole(commands, text);
  }
  if (!known.some(({ hosted }) => hosted)) return refuseWhole(commands, "repository is a read-only archive");
  if (commands.every(({ oldOid, newOid }) => oldOid === newOid)) {
    return { ok: true, pins: { states: [], announcement: false }, effects: [], changesRefs: false };
  }
  const candidates = candidateStates(view, owner);
  const state = candidates.find((candidate) => mismatches(candidate, input).size === 0);
  return state ? allow(input, state) : refuseUnmatched(input, candidates);
}

/** Why a push does not make the repository equal `state`: a sentence per ref, empty when it does. */
function mismatches(state: State, { commands, present }: PushCase): Map<string, string> {
  const problems = new Map<string, string>();
  const pushed = new Map(commands.map(({ ref, newOid }) => [ref, newOid]));
  for (const [ref, oid] of pushed) {
    const declared = state.refs.get(ref);
    if (oid === declared || (oid === ZERO_OID && declared === undefined)) continue;
    if (declared === undefined) {
      problems.set(ref, `${ref} would exist at ${short(oid)} but state doesn't declare it`);
    } else if (oid === ZERO_OID) problems.set(ref, `${ref} missing (state declares ${short(declared)})`);
    else problems.set(ref, `${ref} would be at ${short(oid)} but state declares ${short(declared)}`);
  }
  for (const [ref, oid] of state.refs) {
    if (!pushed.has(ref) && !present.has(oid)) {
      problems.set(ref, `${ref} missing (state declares ${short(oid)})`);
    }
  }
  return problems;
}

function allow({ view, owner, now }: PushCase, state: State): PushVerdict {
  const row = view.waitingStates.find((waiting) => waiting.state === state)?.row;
  const announcement = waitingAnnouncement(view, owner)?.waiting;
  return {
    ok: true,
    pins: { states: row ? [row.event.id] : [], announcement: announcement !== undefined },
    effects: row ? [...extendForPush(announcement, row, now)] : [],
    changesRefs: true,
  };
}

/** An authorised push keeps alive what it is about to prove. */
function extendForPush(
  announcement: WaitingAnnouncement | undefined,
  row: WaitingState,
  now: number,
): Effect[] {
  const floor = now + DURATION.pushFloorMs;
  const extended: Effect[] = floor > row.deadlineAt
    ? [{ type: "holdState", row: { ...row, deadlineAt: floor } }]
    : [];
  return [...keepWaiting(announcement, now), ...extended];
}

function refuseUnmatched(input: PushCase, candidates: readonly State[]): PushVerdict {
  const { view, commands } = input;
  const newest = candidates[0];
  const waitingFromOwners =
    candidates.filter((state) => view.waitingStates.some((row) => row.state === state)).length;
  const text = waitingFromOwners === 0
    ? strangersText(view.waitingStates.length)
    : `${waitingFromOwners} state event${plural(waitingFromOwners)} in purgatory from authorized ` +
      `publisher${plural(waitingFromOwners)} but ${waitingFromOwners === 1 ? "doesn't" : "don't"} match push`;
  if (!newest) return refuseWhole(commands, text);
  const problems = mismatches(newest, input);
  const diagnosis = [...problems.keys()].sort().slice(0, MAX_DIAGNOSED_REFS).map((ref) => problems.get(ref))
    .join("; ");
  const reasons = new Map<string, string>();
  for (const { ref } of commands) {
    const problem = problems.get(ref);
    if (problem) reasons.set(ref, `${PREFIX}${text} (${problem})`);
  }
  const whole = `${PREFIX}${text} (${diagnosis})`;
  if (reasons.size === 0) { for (const { ref } of commands) reasons.set(ref, whole); }
  return refusePush(commands, whole, reasons);
}

function strangersText(waiting: number): string {
  if (waiting === 0) return "No state events in purgatory";
  return `${waiting} state event${plural(waiting)} in purgatory but none from authorized publishers`;
}

function refuseWhole(commands: readonly RefCommand[], text: string): PushVerdict {
  const reason = `${PREFIX}${text}`;
  return refusePush(commands, reason, new Map(commands.map(({ ref }) => [ref, reason])));
}

function refusePush(
  commands: readonly RefCommand[],
  text: string,
  offending: ReadonlyMap<string, string>,
): PushVerdict {
  const reasons = new Map(commands.map(({ ref }) => [ref, offending.get(ref) ?? OTHER_REF_REFUSED]));
  return { ok: false, text, reasons };
}

function plural(count: number): string {
  return count === 1 ? "" : "s";
}

function short(oid: string): string {
  return oid.slice(0, 8);
}
