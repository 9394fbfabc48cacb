import type { Dice } from "../fuzz/dice.ts";
import { announce, declare } from "../support/keys.ts";
import type { Action, EventAction, Project, Sent, SentState } from "./ledger.ts";
import { COMMITS } from "./source.ts";

const MAIN = "refs/heads/main";
const OTHER_REFS = ["refs/heads/dev", "refs/heads/old", "refs/tags/v1"];
/** Actions after the first push before a client starts another repository. */
const MAX_AGE = 14;
/** A state moves at most so many commits ahead. */
const MAX_STEP = 4;

/** What the events of a project name. */
export interface Names {
  /** `host:port` of the service. */
  readonly domain: string;
  readonly commits: readonly string[];
}

/** True when nothing is left to do for `project`. */
export function isFinished(project: Project): boolean {
  return project.pending === undefined &&
    (project.age > MAX_AGE || project.newestCommit + MAX_STEP >= COMMITS);
}

/** The next thing the owner of `project` does; an unanswered action is repeated first. */
export function nextAction(dice: Dice, project: Project, names: Names): Action {
  return project.pending ??= decide(dice, project, names);
}

function decide(dice: Dice, project: Project, names: Names): Action {
  const newest = project.states.at(-1);
  if (project.announcements.length === 0) return announcement(project, names);
  if (!newest) return dice.chance(20) ? announcement(project, names) : newState(dice, project, names);
  const isHeld = newest.promised === "held";
  const mayWander = project.states.filter(({ promised }) => promised === "held").length < 4;
  if (isHeld && mayWander && dice.chance(25)) {
    return dice.chance(50) ? announcement(project, names) : newState(dice, project, names);
  }
  if (isHeld) return { type: "push", state: newest };
  project.age++;
  switch (dice.below(6)) {
    case 0:
      return announcement(project, names);
    case 1:
    case 2:
      return related(dice, project);
    case 3:
      return presentState(dice, project, names);
    default:
      return newState(dice, project, names);
  }
}

/** Now and then the owner edits the announcement from another program while a push is running. */
export function duringPush(dice: Dice, project: Project, names: Names): EventAction | undefined {
  return isProven(project) && dice.chance(30) ? announcement(project, names) : undefined;
}

function isProven({ states }: Project): boolean {
  return states.some(({ promised }) => promised === "served");
}

function announcement(project: Project, { domain }: Names): EventAction {
  const { owner, identifier, announcements } = project;
  const event = announce(owner, identifier, {
    domain,
    created_at: project.tick(),
    extraTags: [["version", String(announcements.length)]],
  });
  const sent: Sent = { event, promised: "nothing" };
  announcements.push(sent);
  return { type: "event", sent, expected: isProven(project) ? "served" : "held" };
}

/** An issue, or a comment on one. */
function related(dice: Dice, project: Project): Action {
  const { owner, identifier } = project;
  const parent = project.related.length > 0 && dice.chance(60) ? dice.pick(project.related) : undefined;
  const event = owner.sign(
    parent ? { kind: 1111, tags: [["E", parent.event.id]], content: "me too", created_at: project.tick() } : {
      kind: 1621,
      tags: [["a", `30617:${owner.pubkey}:${identifier}`]],
      content: "it breaks",
      created_at: project.tick(),
    },
  );
  const sent: Sent = { event, promised: "nothing" };
  project.related.push(sent);
  return { type: "event", sent, expected: "served" };
}

/** A state whose main branch nobody has pushed yet. */
function newState(dice: Dice, project: Project, names: Names): Action {
  project.newestCommit += 1 + dice.below(MAX_STEP);
  const refs = randomRefs(dice, project.newestCommit);
  return state(dice, project, names, { refs: { ...refs, [MAIN]: project.newestCommit }, expected: "held" });
}

/** Rollbacks, deletions and branches on old commits: everything is here already. */
function presentState(dice: Dice, project: Project, names: Names): Action {
  return state(dice, project, names, { refs: randomRefs(dice, project.newestCommit), expected: "served" });
}

function randomRefs(dice: Dice, most: number): Record<string, number> {
  const refs: Record<string, number> = { [MAIN]: dice.below(most + 1) };
  for (const ref of OTHER_REFS) if (dice.chance(40)) refs[ref] = dice.below(most + 1);
  return refs;
}

function state(
  dice: Dice,
  project: Project,
  { commits }: Names,
  { refs, expected }: { readonly refs: Record<string, number>; readonly expected: "held" | "served" },
): Action {
  const head = dice.pick(Object.keys(refs).filter((ref) => ref.startsWith("refs/heads/")));
  const event = declare(project.owner, project.identifier, oidsOf(refs, commits), {
    head,
    created_at: project.tick(),
  });
  const sent: SentState = { event, promised: "nothing", refs, head };
  project.states.push(sent);
  return { type: "event", sent, expected };
}

/** Ref names to object ids. */
export function oidsOf(
  refs: Readonly<Record<string, number>>,
  commits: readonly string[],
): Record<string, string> {
  return Object.fromEntries(Object.entries(refs).map(([ref, index]) => [ref, commits[index]!]));
}
