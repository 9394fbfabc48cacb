import { compareNewestFirst, tagsNamed } from "../nostr/mod.ts";
import { hostOf, isGraspShaped, normaliseCloneUrl } from "../outgoing/mod.ts";
import { Authority, type IdentifierView, type KnownAnnouncement } from "../policy/mod.ts";
import { HUNT_LIMIT } from "./durations.ts";
import type { HuntSettings } from "./ports.ts";
import { entriesOf, type HuntUnit } from "./unit.ts";

/** Who named a URL: a waiting pull request, the home owner's maintainers, or others who list its author. */
export type UrlOrigin = "pullRequest" | "announced" | "listing";

/** One URL that may hold wanted objects. */
export interface Candidate {
  readonly url: string;
  /** Lower-case, without port: what throttles and faults go by. */
  readonly host: string;
  readonly origin: UrlOrigin;
  /** Ask for these only; undefined: for everything the unit needs. */
  readonly only: ReadonlySet<string> | undefined;
  readonly graspShaped: boolean;
  /** Its host delivered one of the unit's events. */
  readonly delivering: boolean;
}

/** All URLs named for a unit. */
export interface UnitUrls {
  /** In the order of their sources, each URL once. */
  readonly remote: readonly Candidate[];
  /** URLs that name this service: their repositories are asked without a network. */
  readonly own: readonly string[];
  /** Why values were left out, one entry each. */
  readonly skipped: readonly ("scheme" | "shape" | "own")[];
}

/** What is remembered of a URL, as far as the order of a hunt depends on it. */
export interface UrlPast {
  /** Its last fetch failed. */
  readonly failed: boolean;
  /** It was the last to deliver objects for the unit. */
  readonly delivered: boolean;
}

/** What decides whose URLs are whose. */
export type UrlRules = Pick<HuntSettings, "isOwn" | "relayHostOf">;

/**
 * The URLs of a unit (purgatory 6.3): `clone` values of its pull requests, of the announcements of
 * the home owner and its maintainers, and of others who merely list the author.
 */
export function urlsOf(view: IdentifierView, unit: HuntUnit, rules: UrlRules): UnitUrls {
  const found = new Collector(
    rules,
    new Set(
      [...entriesOf(unit).keys()].flatMap((id) => rules.relayHostOf?.(id) ?? []),
    ),
  );
  for (const { pullRequest } of unit.pullRequests) {
    const values = tagsNamed(pullRequest.event, "clone").flatMap((tag) => tag.slice(1));
    found.add(values, "pullRequest", pullRequest.commit);
  }
  const members = new Authority(view).of(unit.owner) ?? new Set([unit.owner]);
  const announced = view.announcements.filter(({ announcement }) => members.has(announcement.owner));
  for (const { announcement } of inOrder(announced, unit.owner)) {
    found.add(announcement.cloneUrls, "announced");
  }
  const listing = view.announcements.filter(({ announcement: { owner } }) =>
    unit.owners.has(owner) && !members.has(owner)
  );
  for (const { announcement } of inOrder(listing, unit.owner)) found.add(announcement.cloneUrls, "listing");
  return found.result();
}

/** The owner's announcement before others, newest first. */
function inOrder(known: readonly KnownAnnouncement[], owner: string): readonly KnownAnnouncement[] {
  const isOther = ({ announcement }: KnownAnnouncement) => Number(announcement.owner !== owner);
  return [...known].sort((a, b) =>
    isOther(a) - isOther(b) || compareNewestFirst(a.announcement.event, b.announcement.event)
  );
}

class Collector {
  readonly #rules: UrlRules;
  readonly #delivering: ReadonlySet<string>;
  readonly #remote = new Map<string, Omit<Candidate, "only"> & { only: Set<string> | undefined }>();
  readonly #own = new Set<string>();
  readonly #skipped: ("scheme" | "shape" | "own")[] = [];

  constructor(rules: UrlRules, delivering: ReadonlySet<string>) {
    this.#rules = rules;
    this.#delivering = delivering;
  }

  add(values: readonly string[], origin: UrlOrigin, commit?: string): void {
    for (const value of values.slice(0, HUNT_LIMIT.urlsPerEvent)) {
      const read = normaliseCloneUrl(value);
      if (!read.ok) this.#skipped.push(read.reason);
      else if (!this.#rules.isOwn(read.url)) this.#addRemote(read.url, origin, commit);
      else {
        this.#own.add(read.url);
        this.#skipped.push("own");
      }
    }
  }

  #addRemote(url: string, origin: UrlOrigin, commit: string | undefined): void {
    const known = this.#remote.get(url);
    if (known) {
      if (commit === undefined) known.only = undefined;
      else known.only?.add(commit);
      return;
    }
    const host = hostOf(url);
    this.#remote.set(url, {
      url,
      host,
      origin,
      only: commit === undefined ? undefined : new Set([commit]),
      graspShaped: isGraspShaped(url),
      delivering: this.#delivering.has(host),
    });
  }

  result(): UnitUrls {
    return { remote: [...this.#remote.values()], own: [...this.#own], skipped: this.#skipped };
  }
}

/**
 * The order in which one hunt tries URLs: of pull requests, the one that delivered last, GRASP-shaped,
 * the rest; those that failed behind, those of mere listers last; hosts alternate. Bounded.
 */
export function orderUrls(
  candidates: readonly Candidate[],
  pastOf: (url: string) => UrlPast | undefined,
): readonly Candidate[] {
  const ranked = candidates.map((candidate, index) => {
    const past = pastOf(candidate.url);
    return { candidate, index, failed: Number(past?.failed ?? false), rank: rankOf(candidate, past) };
  }).sort((a, b) => a.failed - b.failed || a.rank - b.rank || a.index - b.index);
  const most = (origins: readonly UrlOrigin[], count: number) =>
    ranked.filter(({ candidate }) => origins.includes(candidate.origin)).slice(0, count);
  const first = new Set([
    ...most(["pullRequest"], HUNT_LIMIT.pullRequestUrls),
    ...most(["announced"], HUNT_LIMIT.announcedUrls),
  ]);
  return [
    ...alternating(ranked.filter((entry) => first.has(entry)).map(({ candidate }) => candidate)),
    ...alternating(most(["listing"], HUNT_LIMIT.listingUrls).map(({ candidate }) => candidate)),
  ];
}

function rankOf({ origin, graspShaped, delivering }: Candidate, past: UrlPast | undefined): number {
  if (origin === "pullRequest") return 0;
  if (past?.delivered) return 1;
  if (graspShaped) return delivering ? 2 : 3;
  return 4;
}

/** Takes the first candidate of another host than the one before, as long as there is one. */
function alternating(candidates: readonly Candidate[]): readonly Candidate[] {
  const rest = [...candidates];
  const ordered: Candidate[] = [];
  while (rest.length > 0) {
    const last = ordered.at(-1)?.host;
    const index = Math.max(rest.findIndex(({ host }) => host !== last), 0);
    ordered.push(...rest.splice(index, 1));
  }
  return ordered;
}
