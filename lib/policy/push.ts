import { compareNewestFirst, declaresObjects, type State, ZERO_OID } from "../nostr/mod.ts";
import type { PushMatch } from "../observe/mod.ts";
import type { WaitingAnnouncement, WaitingState } from "../store/types.ts";
import { blacklistRefusal, classifyAnnouncement, type CurationRules } from "./curation.ts";
import { DURATION } from "./durations.ts";
import type { Effect } from "./effects.ts";
import { Authority } from "./maintainers.ts";
import { judgePullRequestRef, type PullRequestKnowledge } from "./push_pull_request.ts";
import type { RefCommand } from "./ref_command.ts";
import { isReplaced, keepWaiting } from "./state.ts";
import { type IdentifierView, waitingAnnouncement } from "./view.ts";

/** Everything the decision about one push depends on. */
export interface PushCase {
  readonly view: IdentifierView;
  /** Owner in the URL; only this owner's maintainer set counts. */
  readonly owner: string;
  readonly commands: readonly RefCommand[];
  /** Which declared objects the pushed repository already holds. */
  readonly present: ReadonlySet<string>;
  readonly rules: CurationRules;
  /** What is known about the event id of each `refs/nostr/` command, by ref. */
  readonly pullRequests: ReadonlyMap<string, PullRequestKnowledge>;
  /** With this push the repository or the server would hold more unannounced pull request refs than allowed. */
  readonly placeholdersFull: boolean;
  /** Milliseconds. */
  readonly now: number;
}

/** A push is allowed as a whole or refused as a whole; `reasons` holds one line per ref. */
export type PushVerdict =
  | {
    readonly ok: true;
    /** Purgatory entries the push uses: they must not expire while it runs. */
    readonly pins: {
      readonly states: readonly string[];
      readonly announcement: boolean;
      readonly pullRequests: readonly string[];
    };
    readonly effects: readonly Effect[];
    /** False for a push that changes nothing: it releases nothing either. */
    readonly changesRefs: boolean;
    /** What decided it; undefined when no state was asked. */
    readonly match: PushMatch | undefined;
  }
  | {
    readonly ok: false;
    readonly text: string;
    readonly reasons: ReadonlyMap<string, string>;
    readonly match: PushMatch | undefined;
  };

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
    .filter((state) => !served || newestFirst(state, served) < 0)
    .filter((state) => !isReplaced(state, view.storedStates)).sort(newestFirst);
  return served ? [...waiting, served] : waiting;
}

/**
 * Decides whether a push is authorised (GRASP-01; git chapter, section 2): branches and tags by a
 * signed state, `refs/nostr/` refs by what is known about their event.
 */
export function decidePush(input: PushCase): PushVerdict {
  const { commands } = input;
  const refusal = refuseRepository(input);
  if (refusal) return refuseWhole(commands, refusal.text, refusal.match);
  const problems = new Map<string, string>();
  for (const command of commands) {
    const problem = refProblem(input, command);
    if (problem) problems.set(command.ref, `${PREFIX}${problem}`);
  }
  const [first] = problems.values();
  if (first !== undefined) return refusePush(commands, first, problems, undefined);
  const gitCommands = commands.filter(({ ref }) => !ref.startsWith(PULL_REQUESTS));
  if (gitCommands.every(({ oldOid, newOid }) => oldOid === newOid)) {
    const pins = { states: [], announcement: false, pullRequests: waitingPullRequests(input) };
    const match = gitCommands.length > 0 ? "noop" : undefined;
    return { ok: true, pins, effects: [], changesRefs: gitCommands.length < commands.length, match };
  }
  const branches = { ...input, commands: gitCommands };
  const candidates = candidateStates(input.view, input.owner);
  const state = candidates.find((candidate) => mismatches(candidate, branches).size === 0);
  return state ? allow(input, state) : refuseUnmatched(branches, commands, candidates);
}

const PULL_REQUESTS = "refs/nostr/";

/** Why nothing may be pushed to this repository at all. */
function refuseRepository(
  { view, owner, rules }: PushCase,
): { readonly text: string; readonly match: PushMatch } | undefined {
  const blacklisted = blacklistRefusal({ owner, identifier: view.identifier }, rules.repositoryBlacklist);
  if (blacklisted) return { text: blacklisted.text, match: "unauthorised" };
  const known = view.announcements.filter(({ announcement }) => announcement.owner === owner);
  if (known.length === 0) {
    const text = view.announcements.length === 0
      ? "No repository announcement found"
      : `No repository announcement found for owner ${owner}`;
    return { text, match: "none" };
  }
  const isWritable = known.some(({ announcement, hosted }) =>
    hosted && classifyAnnouncement(announcement, rules).route === "host"
  );
  return isWritable ? undefined : { text: "repository is a read-only archive", match: "unauthorised" };
}

/** Why one ref may not be pushed, whatever the states say. */
function refProblem(input: PushCase, command: RefCommand): string | undefined {
  const { ref } = command;
  if (/^refs\/(heads|tags)\//.test(ref)) return undefined;
  if (!ref.startsWith(PULL_REQUESTS)) return "only refs/heads, refs/tags and refs/nostr are accepted";
  return judgePullRequestRef(command, input.pullRequests.get(ref), input.placeholdersFull);
}

/** Waiting pull requests this push may complete (ids). */
function waitingPullRequests({ pullRequests }: PushCase): string[] {
  return [...pullRequests.values()].flatMap((known) => known.type === "waiting" ? [known.id] : []);
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

function allow(input: PushCase, state: State): PushVerdict {
  const { view, owner, now } = input;
  const row = view.waitingStates.find((waiting) => waiting.state === state)?.row;
  const announcement = waitingAnnouncement(view, owner)?.waiting;
  return {
    ok: true,
    pins: {
      states: row ? [row.event.id] : [],
      announcement: announcement !== undefined,
      pullRequests: waitingPullRequests(input),
    },
    effects: row ? [...extendForPush(announcement, row, now)] : [],
    changesRefs: true,
    match: row ? "waiting" : "database",
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

/** The refusal when no candidate matches; `all` are the commands of the whole push. */
function refuseUnmatched(
  input: PushCase,
  all: readonly RefCommand[],
  candidates: readonly State[],
): PushVerdict {
  const { view, commands } = input;
  const newest = candidates[0];
  const count = candidates.filter((state) => view.waitingStates.some((row) => row.state === state)).length;
  const text = count === 0
    ? unmatchedText(input)
    : `${count} state event${plural(count)} in purgatory from authorized ` +
      `publisher${plural(count)} but ${count === 1 ? "doesn't" : "don't"} match push`;
  if (!newest) return refuseWhole(all, text, whyNoCandidate(input));
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
  return refusePush(all, whole, reasons, "mismatch");
}

/** Why no waiting state is a candidate: there is none, none that counts, or none by a maintainer. */
function unmatchedText({ view, owner }: PushCase): string {
  const waiting = view.waitingStates.length;
  if (waiting === 0) return "No state events in purgatory";
  const members = new Authority(view).of(owner);
  if (view.waitingStates.some(({ row }) => members?.has(row.author))) {
    return "No matching state event found in purgatory from authorized publishers";
  }
  return `${waiting} state event${plural(waiting)} in purgatory but none from authorized publishers`;
}

/** The same for the count of refusals. */
function whyNoCandidate({ view, owner }: PushCase): PushMatch {
  if (view.waitingStates.length === 0) return "none";
  const members = new Authority(view).of(owner);
  return view.waitingStates.some(({ row }) => members?.has(row.author)) ? "mismatch" : "unauthorised";
}

function refuseWhole(commands: readonly RefCommand[], text: string, match: PushMatch): PushVerdict {
  const reason = `${PREFIX}${text}`;
  return refusePush(commands, reason, new Map(commands.map(({ ref }) => [ref, reason])), match);
}

function refusePush(
  commands: readonly RefCommand[],
  text: string,
  offending: ReadonlyMap<string, string>,
  match: PushMatch | undefined,
): PushVerdict {
  const reasons = new Map(commands.map(({ ref }) => [ref, offending.get(ref) ?? OTHER_REF_REFUSED]));
  return { ok: false, text, reasons, match };
}

function plural(count: number): string {
  return count === 1 ? "" : "s";
}

function short(oid: string): string {
  return oid.slice(0, 8);
}
