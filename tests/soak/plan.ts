import type { NostrEvent } from "../../lib/nostr/mod.ts";
import { COMMITS } from "../crash/source.ts";
import type { Dice } from "../fuzz/dice.ts";
import { announceOn } from "../support/announce_on.ts";
import { declare, type Signer } from "../support/keys.ts";
import type { Declared, Project, Related } from "./ledger.ts";
import type { Source } from "./source.ts";

/** What a user does next. */
export type Action =
  | { readonly type: "announce"; readonly event: NostrEvent }
  | { readonly type: "push"; readonly state: Declared }
  | { readonly type: "related"; readonly related: Related }
  | { readonly type: "delete"; readonly event: NostrEvent; readonly ids: readonly string[] }
  | { readonly type: "delete repository"; readonly event: NostrEvent };

const MAX_AGE = 16;
const MAX_STEP = 4;
const MAIN = "refs/heads/main";
const OTHER_REFS = ["refs/heads/dev", "refs/heads/old", "refs/tags/v1"];

/** True when nothing more happens to `project`. */
export function isFinished(project: Project): boolean {
  return project.deleted !== undefined || project.age > MAX_AGE || project.newestCommit + MAX_STEP >= COMMITS;
}

/** The next action on `project`, by its owner or, where anybody may, by `visitor`. */
export function nextAction(dice: Dice, project: Project, visitor: Signer, source: Source): Action {
  if (!project.announcement) return announcement(project);
  if (!project.state) return push(dice, project, source);
  switch (dice.below(12)) {
    case 0:
      return announcement(project);
    case 1:
    case 2:
    case 3:
      return push(dice, project, source);
    case 4:
      return proposal(dice, project, visitor, source);
    case 5:
      return deletion(dice, project) ?? issue(project, visitor);
    case 6:
    case 7:
    case 8:
      return issue(project, dice.chance(50) ? visitor : project.owner);
    default:
      return (project.age > MAX_AGE / 2 && dice.chance(5))
        ? deleteRepository(project)
        : comment(dice, project, visitor);
  }
}

function announcement(project: Project): Action {
  const event = announceOn(project.owner, project.identifier, project.members.map(({ domain }) => domain), {
    created_at: project.tick(),
    extraTags: [["version", String(project.age)]],
  });
  return { type: "announce", event };
}

/** A state with new commits, and sometimes with branches that move back or disappear. */
function push(dice: Dice, project: Project, { commits }: Source): Action {
  project.newestCommit += 1 + dice.below(MAX_STEP);
  const refs: Record<string, string> = { [MAIN]: commits[project.newestCommit]! };
  for (const ref of OTHER_REFS) {
    if (dice.chance(40)) refs[ref] = commits[dice.below(project.newestCommit + 1)]!;
  }
  const head = dice.pick(Object.keys(refs).filter((ref) => ref.startsWith("refs/heads/")));
  const event = declare(project.owner, project.identifier, refs, { head, created_at: project.tick() });
  return { type: "push", state: { event, refs, head } };
}

function issue(project: Project, author: Signer): Action {
  return related(author.sign({
    kind: 1621,
    tags: [["a", project.coordinate], ["p", project.owner.pubkey], ["subject", "it breaks"]],
    content: "it breaks",
    created_at: project.tick(),
  }));
}

/** A comment on something of the project (NIP-22). */
function comment(dice: Dice, project: Project, author: Signer): Action {
  const roots = project.related.filter(({ event }) =>
    event.kind !== 1111 && !project.deletedIds.has(event.id)
  );
  if (roots.length === 0) return issue(project, author);
  const root = dice.pick(roots);
  root.answered = true;
  const { id, pubkey, kind } = root.event;
  const tags = [["E", id], ["K", `${kind}`], ["P", pubkey], ["e", id], ["k", `${kind}`], ["p", pubkey]];
  return related(author.sign({ kind: 1111, tags, content: "me too", created_at: project.tick() }));
}

/** A patch (kind 1617), or a pull request (kind 1618) whose commit has to be pushed. */
function proposal(dice: Dice, project: Project, author: Signer, { proposals }: Source): Action {
  const tags = [["a", project.coordinate], ["p", project.owner.pubkey]];
  const created_at = project.tick();
  if (dice.chance(30)) {
    return related(author.sign({ kind: 1617, tags, content: "From: Bob\n\n---", created_at }));
  }
  const commit = dice.pick(proposals);
  const urls = project.members.map(({ domain }) => `http://${domain}/${project.path}`);
  const event = author.sign({
    kind: 1618,
    tags: [...tags, ["subject", "a change"], ["c", commit], ["clone", ...urls]],
    content: "please take this",
    created_at,
  });
  return { type: "related", related: { event, commit, answered: false } };
}

/** The owner takes back issues of his own that nobody has answered. */
function deletion(dice: Dice, project: Project): Action | undefined {
  const own = project.related.filter(({ event, answered }) =>
    event.kind === 1621 && event.pubkey === project.owner.pubkey && !answered &&
    !project.deletedIds.has(event.id)
  );
  if (own.length === 0) return undefined;
  const ids = dice.some(own, 2).map(({ event }) => event.id);
  if (ids.length === 0) return undefined;
  const tags = [...ids.map((id) => ["e", id]), ["k", "1621"]];
  return {
    type: "delete",
    ids,
    event: project.owner.sign({ kind: 5, tags, created_at: project.tick() }),
  };
}

function deleteRepository(project: Project): Action {
  const tags = [["a", project.coordinate], ["k", "30617"]];
  return {
    type: "delete repository",
    event: project.owner.sign({ kind: 5, tags, created_at: project.tick() }),
  };
}

function related(event: NostrEvent): Action {
  return { type: "related", related: { event, answered: false } };
}
