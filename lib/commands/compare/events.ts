import {
  compareNewestFirst,
  declaresObjects,
  KIND,
  type NostrEvent,
  parseAnnouncement,
  parseState,
  type State,
} from "../../nostr/mod.ts";
import {
  candidateStates,
  classifyAnnouncement,
  type CurationRules,
  type IdentifierView,
} from "../../policy/mod.ts";
import type { RepositoryKey } from "../../store/mod.ts";

/** Announcements and states of one server. */
export interface RepositoryEvents {
  readonly announcements: readonly NostrEvent[];
  readonly states: readonly NostrEvent[];
}

/** A repository that our rules take, and the state that governs it by all that is known on both sides. */
export interface KnownRepository extends RepositoryKey {
  readonly state: State | undefined;
}

/** Repositories named by the announcements of either server. */
export interface Inventory {
  readonly repositories: readonly KnownRepository[];
  /** Announcements that our rules neither host nor archive. */
  readonly notTaken: number;
}

/** Merges the events of both servers into one list of repositories, in order of owner and identifier. */
export function inventoryOf(sides: readonly RepositoryEvents[], rules: CurationRules): Inventory {
  const views = viewsOf(sides);
  const repositories: KnownRepository[] = [];
  let notTaken = 0;
  for (const view of views.values()) {
    for (const { announcement } of view.announcements) {
      const { route } = classifyAnnouncement(announcement, rules);
      if (route !== "host" && route !== "archive") notTaken++;
      else {
        const [state] = candidateStates(view, announcement.owner).filter(declaresObjects);
        repositories.push({ owner: announcement.owner, identifier: view.identifier, state });
      }
    }
  }
  return { repositories: repositories.sort(inOrder), notTaken };
}

/** Everything known about each identifier, as if one server served all of it. */
function viewsOf(sides: readonly RepositoryEvents[]): ReadonlyMap<string, IdentifierView> {
  const newest = newestVersions(sides.flatMap(({ announcements, states }) => [...announcements, ...states]));
  const views = new Map<
    string,
    { announcements: IdentifierView["announcements"][number][]; states: State[] }
  >();
  const viewFor = (identifier: string) => {
    const view = views.get(identifier) ?? { announcements: [], states: [] };
    views.set(identifier, view);
    return view;
  };
  for (const event of newest) {
    if (event.kind === KIND.announcement) {
      const parsed = parseAnnouncement(event);
      if (!parsed.ok) continue;
      const { announcement } = parsed;
      viewFor(announcement.identifier).announcements.push({ announcement, hosted: true, waiting: undefined });
    } else {
      const parsed = parseState(event);
      if (parsed.ok) viewFor(parsed.state.identifier).states.push(parsed.state);
    }
  }
  return new Map(
    [...views].map(([identifier, { announcements, states }]) => [identifier, {
      identifier,
      announcements,
      storedStates: states,
      waitingStates: [],
      waitingPullRequests: [],
      placeholders: [],
    }]),
  );
}

/** The newest version per kind, author and identifier. */
function newestVersions(events: readonly NostrEvent[]): NostrEvent[] {
  const newest = new Map<string, NostrEvent>();
  for (const event of events) {
    const identifier = event.tags.find(([name]) => name === "d")?.[1] ?? "";
    const key = JSON.stringify([event.kind, event.pubkey, identifier]);
    const other = newest.get(key);
    if (!other || compareNewestFirst(event, other) < 0) newest.set(key, event);
  }
  return [...newest.values()];
}

function inOrder(a: RepositoryKey, b: RepositoryKey): number {
  if (a.owner !== b.owner) return a.owner < b.owner ? -1 : 1;
  return a.identifier < b.identifier ? -1 : 1;
}

/** How many events both servers have, and how many only one of them. */
export function countEvents(here: readonly NostrEvent[], there: readonly NostrEvent[]) {
  const ids = [here, there].map((events) => new Set(events.map(({ id }) => id)));
  const [ours, theirs] = ids as [Set<string>, Set<string>];
  return {
    here: ours.size,
    there: theirs.size,
    onlyHere: ours.difference(theirs).size,
    onlyThere: theirs.difference(ours).size,
  };
}
