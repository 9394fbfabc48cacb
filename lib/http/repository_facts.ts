import { compareNewestFirst, firstTagValue, type State } from "../nostr/mod.ts";
import { maintainerSet, newestByAuthor, servedAnnouncement, viewOf } from "../policy/mod.ts";
import type { IdentifierRows } from "../store/mod.ts";
import type { RepositoryFacts } from "./site.ts";

const NOTHING: IdentifierRows = {
  announcements: [],
  states: [],
  waitingAnnouncements: [],
  waitingStates: [],
  waitingPullRequests: [],
  placeholders: [],
};

/**
 * What the page of `owner`'s repository may tell, from everything known about its identifier. Only
 * served events count, also for who the maintainers are: nothing in purgatory may be seen (GRASP-01).
 * Undefined when there is no announcement of this owner.
 */
export function repositoryFacts(
  owner: string,
  identifier: string,
  rows: IdentifierRows,
): RepositoryFacts | undefined {
  const { announcements, states } = rows;
  const served = viewOf(identifier, { ...NOTHING, announcements, states });
  const announcement = servedAnnouncement(served, owner)?.announcement;
  if (!announcement) {
    return rows.waitingAnnouncements.some((row) => row.owner === owner) ? { state: "purgatory" } : undefined;
  }
  const maintainers = maintainerSet(owner, newestByAuthor(served));
  const state = served.storedStates.filter(({ author }) => maintainers.has(author))
    .sort((a, b) => compareNewestFirst(a.event, b.event))[0];
  return {
    state: "active",
    name: firstTagValue(announcement.event, "name"),
    description: firstTagValue(announcement.event, "description"),
    maintainers: [...maintainers],
    defaultBranch: state?.head?.slice("refs/heads/".length),
    branches: state && countRefs(state, "refs/heads/"),
    tags: state && countRefs(state, "refs/tags/"),
  };
}

function countRefs({ refs, symbolic }: State, prefix: string): number {
  return [...refs.keys(), ...symbolic].filter((name) => name.startsWith(prefix)).length;
}
