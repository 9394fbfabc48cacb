import type { RepositoryRef } from "../git/mod.ts";
import type { CleanupCandidates } from "../observe/mod.ts";
import { type Announcement, KIND, parseAnnouncement } from "../nostr/mod.ts";
import {
  Authority,
  classifyAnnouncement,
  type CurationRules,
  type IdentifierView,
  servedAnnouncement,
  viewOf,
} from "../policy/mod.ts";
import { type EmptyEntry, type EmptyScan, judgeEmpty } from "./empty_plan.ts";
import type { MaintenanceParts } from "./ports.ts";
import { contentOf } from "./repository_content.ts";
import { keyOf } from "./walk.ts";

/** What both scans found: entries in order, kept and failed ones included. */
export interface EmptyReport {
  readonly entries: readonly EmptyEntry[];
  /** Numbers by what they are: for metrics, whatever the options were. */
  readonly candidates: CleanupCandidates;
}

/**
 * Compares announcements with directories, both ways, and decides what a clean-up would remove. Changes
 * nothing. Contributors' repositories (`prs`) are left out altogether.
 */
export async function scanForEmpty(
  parts: MaintenanceParts,
  options: { readonly purgeOrphans: boolean },
): Promise<EmptyReport> {
  const { store, repositories, signal } = parts;
  const entries: EmptyEntry[] = [];
  const announced = new Set<string>();
  const look = async (scan: EmptyScan, repository: RepositoryRef) => {
    const entry = await examine(parts, scan, repository, options.purgeOrphans);
    if (entry) entries.push(entry);
  };
  for await (const event of store.eventsOfKinds([KIND.announcement])) {
    if (signal.aborted) break;
    const parsed = parseAnnouncement(event);
    if (!parsed.ok) continue;
    const { owner, identifier } = parsed.announcement;
    announced.add(keyOf({ owner, identifier }));
    await look("announcement", { owner, identifier });
  }
  const present = await repositories.list();
  if (present.length === 0) refuse(entries, () => true, "repository at all below the git data path");
  for (const repository of present) {
    if (signal.aborted) break;
    if (!announced.has(keyOf(repository))) await look("directory", repository);
  }
  if (announced.size === 0) {
    const isLoss = ({ decision, content }: EmptyEntry) => decision === "remove" && content !== "empty";
    refuse(entries, isLoss, "announcement at all in the database");
  }
  const count = (test: (entry: EmptyEntry) => boolean) => entries.filter(test).length;
  const isOrphan = ({ scan, decision }: EmptyEntry) => scan === "directory" && decision !== "failed";
  return {
    entries,
    candidates: {
      event_without_data: count(({ scan, decision }) => scan === "announcement" && decision === "remove"),
      empty_orphan: count((entry) =>
        isOrphan(entry) && entry.content === "empty" && entry.decision === "remove"
      ),
      nonempty_orphan: count((entry) => isOrphan(entry) && entry.content !== "empty"),
    },
  };
}

/** Directories without any announcement, and the reverse: more likely a wrong path, or a disk not mounted. */
function refuse(entries: EmptyEntry[], test: (entry: EmptyEntry) => boolean, what: string): void {
  if (entries.filter(test).length < 2) return;
  const reason = `there is no ${what}: is it the right one?`;
  entries.forEach((entry, index) => {
    if (test(entry)) entries[index] = { ...entry, decision: "failed", reason };
  });
}

/** One repository as it is now; undefined when there is nothing to say about it. */
export async function examine(
  parts: MaintenanceParts,
  scan: EmptyScan,
  repository: RepositoryRef,
  purgeOrphans: boolean,
): Promise<EmptyEntry | undefined> {
  const { owner, identifier } = repository;
  const view = viewOf(identifier, await parts.store.readIdentifier(identifier));
  const served = servedAnnouncement(view, owner);
  if ((scan === "announcement") !== (served !== undefined)) return undefined;
  if (served && !isExpectedHere(parts, view, owner)) return undefined;
  const finding = await contentOf(parts, repository);
  const verdict = judgeEmpty({
    scan,
    finding,
    protectedBy: await protection(parts, view, repository),
    purgeOrphans,
  });
  if (!verdict) return undefined;
  const states = view.storedStates.filter(({ author }) => author === owner).map(({ event }) => event);
  const events = served ? [served.announcement.event, ...states] : [];
  return { scan, repository, content: finding.content, events, ...verdict };
}

function isExpectedHere({ rules }: MaintenanceParts, view: IdentifierView, owner: string): boolean {
  const served = servedAnnouncement(view, owner);
  return served?.hosted === true && isHeldHere(served.announcement, rules);
}

/** False for announcements that are only here because of the maintainer exception: they have no repository by design. */
export function isHeldHere(announcement: Announcement, rules: CurationRules): boolean {
  const { route } = classifyAnnouncement(announcement, rules);
  return route === "host" || route === "archive";
}

/** What else in the database needs the directory, as one phrase. */
async function protection(
  { store, repositories }: MaintenanceParts,
  view: IdentifierView,
  { owner, identifier }: RepositoryRef,
): Promise<string | undefined> {
  if (view.announcements.some(({ announcement, waiting }) => waiting && announcement.owner === owner)) {
    return "its announcement waits in purgatory";
  }
  const authority = new Authority(view);
  if (view.waitingStates.some(({ row }) => authority.of(owner)?.has(row.author))) {
    return "a state of it waits in purgatory";
  }
  const isThis = (other: { readonly owner: string; readonly identifier: string }) =>
    other.owner === owner && other.identifier === identifier;
  if (view.placeholders.some((placeholder) => placeholder.repositories.some(isThis))) {
    return "a pushed pull request waits for its event";
  }
  if (view.waitingPullRequests.some(({ row }) => row.targets.some(isThis))) {
    return "a pull request to it waits in purgatory";
  }
  if ((await store.dirtyMarks()).some(isThis)) return "a push to it was cut off; the next start looks at it";
  return repositories.uses({ owner, identifier }) > 0 ? "it is in use" : undefined;
}
