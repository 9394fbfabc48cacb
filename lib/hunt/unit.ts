import { compareNewestFirst, declaresObjects, isOid, type PullRequest, type State } from "../nostr/mod.ts";
import {
  Authority,
  type IdentifierView,
  type KnownAnnouncement,
  type KnownWaitingPullRequest,
  type KnownWaitingState,
  newestByAuthor,
} from "../policy/mod.ts";

/**
 * What is hunted for together: the waiting events of one identifier whose data belongs into the
 * repository of one home owner. Units of one identifier share nothing.
 */
export interface HuntUnit {
  readonly identifier: string;
  /** The home owner: data is fetched into this repository. */
  readonly owner: string;
  readonly states: readonly KnownWaitingState[];
  readonly pullRequests: readonly KnownWaitingPullRequest[];
  /** Owners with a repository whose maintainers speak for some event of the unit, home owner included. */
  readonly owners: ReadonlySet<string>;
}

/** Names a unit in maps and logs. */
export function unitKey({ identifier, owner }: { identifier: string; owner: string }): string {
  return `${owner}:${identifier}`;
}

/** Event ids of a unit with where they came from. */
export function entriesOf(unit: HuntUnit): ReadonlyMap<string, "direct" | "sync"> {
  return new Map(
    [...unit.states, ...unit.pullRequests].map(({ row }) => [row.event.id, row.source]),
  );
}

/** All object ids the events of a unit need. */
export function wantedBy(unit: HuntUnit): ReadonlySet<string> {
  return new Set([
    ...unit.states.flatMap(({ state }) => [...state.refs.values()]),
    ...unit.pullRequests.map(({ pullRequest }) => pullRequest.commit),
  ]);
}

/**
 * Sorts the waiting events of one identifier into units by home owner. Events that can never be
 * satisfied, or that nobody with a repository here stands for, belong to none.
 */
export function huntUnits(view: IdentifierView): readonly HuntUnit[] {
  const homes = new Homes(view);
  const units = new Map<string, {
    states: KnownWaitingState[];
    pullRequests: KnownWaitingPullRequest[];
    owners: Set<string>;
  }>();
  const unitOf = ({ home, owners }: Home) => {
    let unit = units.get(home);
    if (!unit) units.set(home, unit = { states: [], pullRequests: [], owners: new Set() });
    owners.forEach((owner) => unit.owners.add(owner));
    return unit;
  };
  for (const known of view.waitingStates) {
    const home = declaresObjects(known.state) ? homes.ofState(known.state) : undefined;
    if (home) unitOf(home).states.push(known);
  }
  for (const known of view.waitingPullRequests) {
    const home = isOid(known.pullRequest.commit) ? homes.ofPullRequest(known.pullRequest) : undefined;
    if (home) unitOf(home).pullRequests.push(known);
  }
  return [...units].map(([owner, unit]) => ({ identifier: view.identifier, owner, ...unit }));
}

interface Home {
  readonly home: string;
  readonly owners: readonly string[];
}

/** Finds the repository an event's data belongs into. */
class Homes {
  readonly #view: IdentifierView;
  readonly #authority: Authority;
  /** Owners with a repository on this server, the one with the newest announcement first. */
  readonly #withRepository: readonly string[];

  constructor(view: IdentifierView) {
    this.#view = view;
    this.#authority = new Authority(view);
    const here = new Set(
      view.announcements.filter(hasRepository).map(({ announcement }) => announcement.owner),
    );
    this.#withRepository = [...newestByAuthor(view).values()]
      .sort((a, b) => compareNewestFirst(a.event, b.event))
      .map(({ owner }) => owner)
      .filter((owner) => here.has(owner));
  }

  ofState({ author }: State): Home | undefined {
    return this.#home([author], (members) => members.has(author));
  }

  ofPullRequest({ targets }: PullRequest): Home | undefined {
    const named = targets.filter(({ identifier }) => identifier === this.#view.identifier)
      .map(({ owner }) => owner);
    const served = new Set(
      this.#view.announcements.filter(({ waiting }) => !waiting).map(({ announcement }) =>
        announcement.owner
      ),
    );
    return this.#home(
      named.filter((owner) => served.has(owner)),
      (members) => named.some((owner) => members.has(owner)),
    );
  }

  /**
   * `preferred` in order where they have a repository, else the owner with the newest announcement; one
   * who lists another of them and is not listed back comes behind: anybody can list anybody.
   */
  #home(
    preferred: readonly string[],
    standsFor: (members: ReadonlySet<string>) => boolean,
  ): Home | undefined {
    const owners = this.#withRepository.filter((owner) => {
      const members = this.#authority.of(owner);
      return members !== undefined && standsFor(members);
    });
    const home = preferred.find((owner) => owners.includes(owner)) ??
      owners.find((owner) => !owners.some((other) => this.#leansOn(owner, other))) ?? owners[0];
    return home === undefined ? undefined : { home, owners };
  }

  #leansOn(owner: string, other: string): boolean {
    return owner !== other && (this.#authority.of(owner)?.has(other) ?? false) &&
      !this.#authority.of(other)?.has(owner);
  }
}

function hasRepository({ hosted, waiting }: KnownAnnouncement): boolean {
  return hosted && waiting?.phase !== "soft";
}
