import {
  type Announcement,
  compareNewestFirst,
  KIND,
  type NostrEvent,
  parseAnnouncement,
  parseState,
  type State,
} from "../../lib/nostr/mod.ts";

/** What one server holds in the oracle's model: everything that ever reached it. */
export interface ModelServer {
  readonly host: string;
  /** False to see what would be served if nobody had deleted anything. */
  readonly deletes: boolean;
  readonly bootstrap: readonly string[];
  readonly candidates: Map<string, NostrEvent>;
  /** Objects by identifier. */
  readonly objects: Map<string, Set<string>>;
  /** Hosts an announcement counts for. */
  hostsOf(announcement: Announcement): ReadonlySet<string>;
  /** True for an announcement that need not be known here any more. */
  isForgotten(announcement: Announcement): boolean;
}

/** A repository as one server sees it in the end. */
export interface ModelRepository {
  readonly announcement: Announcement;
  readonly hosted: boolean;
  readonly served: boolean;
  /** What its refs equal; undefined when nothing governs. */
  readonly governing: State | undefined;
}

/** What one server makes of what reached it. */
export interface Judgement {
  readonly repositories: readonly ModelRepository[];
  readonly served: ReadonlyMap<string, NostrEvent>;
  /** States that count, complete or not, with the announcements that say where their data may be. */
  readonly wantedStates: readonly { readonly state: State; readonly sources: readonly Announcement[] }[];
  /** Pull requests that relate to something served, with the repositories they concern and where to look. */
  readonly wantedPullRequests: readonly {
    readonly event: NostrEvent;
    readonly commit: string;
    readonly relevant: readonly Announcement[];
    readonly sources: readonly Announcement[];
  }[];
}

const ROOTS: ReadonlySet<number> = new Set([KIND.patch, KIND.pullRequest, KIND.issue]);
const LINKING = new Set(["a", "A", "e", "E", "q"]);

/** The coordinate of an announcement. */
export function coordinate({ owner, identifier }: Announcement): string {
  return `${KIND.announcement}:${owner}:${identifier}`;
}

/** Values of an event's tags of these names. */
export function tagValues({ tags }: NostrEvent, names: string): string[] {
  return tags.filter(([name]) => names.includes(name!)).map(([, value]) => value ?? "");
}

/** True when the author of `event` asked for its deletion in one of `requests` (NIP-09). */
export function isDeleted(event: NostrEvent, requests: readonly NostrEvent[]): boolean {
  const d = tagValues(event, "d")[0] ?? "";
  return event.kind !== KIND.deletion && requests.some((request) =>
    request.pubkey === event.pubkey &&
    (tagValues(request, "e").includes(event.id) ||
      (tagValues(request, "a").includes(`${event.kind}:${event.pubkey}:${d}`) &&
        event.created_at <= request.created_at))
  );
}

/** The policy in its plainest form: what a server serves when everything in `server` reached it, in any order. */
export function judge(server: ModelServer): Judgement {
  const all = [...server.candidates.values()];
  const requests = all.filter(({ kind }) => kind === KIND.deletion);
  const living = server.deletes ? all.filter((event) => !isDeleted(event, requests)) : all;
  const announcements = newestVersions(living.flatMap(announcementOf), ({ event }) => event)
    .filter((one) => !server.isForgotten(one));
  const repositories: ModelRepository[] = [];
  const wantedStates: { state: State; sources: readonly Announcement[] }[] = [];
  const served = new Map<string, NostrEvent>();
  const states = living.flatMap(stateOf);
  for (const identifier of new Set(announcements.map((one) => one.identifier))) {
    const ofName = announcements.filter((one) => one.identifier === identifier);
    const objects = server.objects.get(identifier) ?? new Set<string>();
    judgeName(server, ofName, states.filter((one) => one.identifier === identifier), objects, {
      repositories,
      wantedStates,
      served,
    });
  }
  for (const request of requests) served.set(request.id, request);
  const wantedPullRequests = judgeRelated(living, server, repositories, served);
  return { repositories, served, wantedStates, wantedPullRequests };
}

/** Ids of root events of the repositories a server indexes, deleted ones included: their deletion was asked for. */
export function rootsOf(server: ModelServer, repository: ModelRepository): ReadonlySet<string> {
  const name = coordinate(repository.announcement);
  return new Set(
    [...server.candidates.values()].filter((event) =>
      ROOTS.has(event.kind) && tagValues(event, "aA").includes(name)
    ).map(({ id }) => id),
  );
}

function judgeName(
  { host, hostsOf }: ModelServer,
  announcements: readonly Announcement[],
  states: readonly State[],
  objects: ReadonlySet<string>,
  found: {
    repositories: ModelRepository[];
    wantedStates: { state: State; sources: readonly Announcement[] }[];
    served: Map<string, NostrEvent>;
  },
): void {
  const hosted = announcements.filter((one) => hostsOf(one).has(host));
  const known = withMaintainers(hosted, announcements);
  const trusts = (owner: Announcement, author: string) => members(owner, known).has(author);
  const trusted = states.filter(({ author }) => hosted.some((one) => trusts(one, author)));
  const complete = trusted.filter(({ refs }) =>
    refs.size > 0 && [...refs.values()].every((oid) => objects.has(oid))
  );
  const current = newestVersions(complete, ({ event }) => event);
  for (const state of current) found.served.set(state.event.id, state.event);
  for (const state of trusted) {
    const owners = hosted.filter((one) => trusts(one, state.author));
    found.wantedStates.push({ state, sources: sourcesOf([state.author], owners, known) });
  }
  for (const announcement of known) {
    const isHosted = hosted.includes(announcement);
    const [governing] = current.filter(({ author }) => trusts(announcement, author))
      .sort((a, b) => compareNewestFirst(a.event, b.event));
    const served = !isHosted || governing !== undefined;
    if (served) found.served.set(announcement.event.id, announcement.event);
    found.repositories.push({ announcement, hosted: isHosted, served, governing });
  }
}

/** Issues, patches, pull requests and what refers to them: served once something they name is. */
function judgeRelated(
  living: readonly NostrEvent[],
  server: ModelServer,
  repositories: readonly ModelRepository[],
  served: Map<string, NostrEvent>,
): Judgement["wantedPullRequests"] {
  const wanted: Judgement["wantedPullRequests"][number][] = [];
  const names = new Set(repositories.filter((one) => one.served).map((one) => coordinate(one.announcement)));
  const open = new Set(
    living.filter(({ kind }) => kind !== KIND.announcement && kind !== KIND.state && kind !== KIND.deletion),
  );
  for (let changed = true; changed;) {
    changed = false;
    for (const event of open) {
      const related = event.tags.some(([name, value]) =>
        LINKING.has(name!) && (names.has(value!) || served.has(value!))
      );
      if (!related) continue;
      open.delete(event);
      changed = true;
      if (event.kind !== KIND.pullRequest && event.kind !== KIND.pullRequestUpdate) {
        served.set(event.id, event);
        continue;
      }
      const commit = tagValues(event, "c")[0]!;
      const relevant = relevantTo(event, repositories);
      const owners = relevant.map((one) => one.announcement);
      const named = tagValues(event, "a").map((name) => name.split(":")[1]!);
      const known = repositories.map((one) => one.announcement).filter((one) =>
        one.identifier === owners[0]?.identifier
      );
      wanted.push({ event, commit, relevant: owners, sources: sourcesOf(named, owners, known) });
      if (relevant.some((one) => server.objects.get(one.announcement.identifier)?.has(commit))) {
        served.set(event.id, event);
      }
    }
  }
  return wanted;
}

/** Hosted, served repositories whose maintainers include an owner the pull request names. */
function relevantTo(event: NostrEvent, repositories: readonly ModelRepository[]): ModelRepository[] {
  const served = repositories.filter((one) => one.served);
  const announcements = served.map((one) => one.announcement);
  return served.filter(({ announcement, hosted }) =>
    hosted && tagValues(event, "a").some((name) => {
      const [, owner, identifier] = name.split(":");
      return identifier === announcement.identifier &&
        members(announcement, announcements.filter((one) => one.identifier === identifier)).has(owner!);
    })
  );
}

/**
 * Announcements whose clone URLs are asked for the data of an event: those of the owners who trust it, and
 * of the maintainers of its home: the first of `preferred` that is hosted, else the newest owner.
 */
function sourcesOf(
  preferred: readonly string[],
  owners: readonly Announcement[],
  known: readonly Announcement[],
): readonly Announcement[] {
  const [newest] = owners.toSorted((a, b) => compareNewestFirst(a.event, b.event));
  const home = preferred.flatMap((key) => owners.find(({ owner }) => owner === key) ?? [])[0] ?? newest;
  const closure = home ? members(home, known) : new Set<string>();
  return known.filter((one) => owners.includes(one) || closure.has(one.owner));
}

/** Announcements that count at a server: those that list it, and those of their maintainers. */
function withMaintainers(
  hosted: readonly Announcement[],
  all: readonly Announcement[],
): readonly Announcement[] {
  let known = [...hosted];
  for (;;) {
    const trusted = new Set(hosted.flatMap((one) => [...members(one, known)]));
    const next = all.filter((one) => hosted.includes(one) || trusted.has(one.owner));
    if (next.length === known.length) return known;
    known = next;
  }
}

/** The recursive maintainer set. */
function members(root: Announcement, known: readonly Announcement[]): ReadonlySet<string> {
  const found = new Set([root.owner]);
  for (const key of found) {
    for (const maintainer of known.find(({ owner }) => owner === key)?.maintainers ?? []) {
      found.add(maintainer);
    }
  }
  return found;
}

/** The newest version of each author and identifier. */
function newestVersions<T extends { readonly identifier: string }>(
  versions: readonly T[],
  eventOf: (version: T) => NostrEvent,
): T[] {
  const newest = new Map<string, T>();
  for (const version of versions) {
    const key = `${eventOf(version).pubkey}:${version.identifier}`;
    const other = newest.get(key);
    if (!other || compareNewestFirst(eventOf(version), eventOf(other)) < 0) newest.set(key, version);
  }
  return [...newest.values()];
}

function announcementOf(event: NostrEvent): Announcement[] {
  const parsed = event.kind === KIND.announcement ? parseAnnouncement(event) : undefined;
  return parsed?.ok ? [parsed.announcement] : [];
}

function stateOf(event: NostrEvent): State[] {
  const parsed = event.kind === KIND.state ? parseState(event) : undefined;
  return parsed?.ok ? [parsed.state] : [];
}
