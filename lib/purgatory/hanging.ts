import {
  addressIdentifier,
  type Filter,
  isHex64,
  kindClass,
  type NostrEvent,
  parseCoordinate,
} from "../nostr/mod.ts";
import { linksNothing, MAX_REFERENCES, type Store } from "../store/mod.ts";

/** About the most events held at once, and most links followed away from the repository. */
const MAX_EVENTS = 2_000;
const MAX_DEPTH = 100;
/** Most events that links connect, of which it is found out whether they leave: larger groups stay. */
const MAX_GROUP = 100_000;
const EVENTS_PER_QUERY = 100;

/** How an event that is linked to a leaving repository is looked at. */
export type Standing =
  /** It stands by itself, and so does what it is linked to. */
  | "anchor"
  /** It stays only through links. */
  | "linked"
  /** It leaves whatever it is linked to. */
  | "unwanted"
  /** It leaves, or stays, for reasons of its own, and holds nothing. */
  | "apart";

/** The part of the store that is asked. */
type Events = Pick<Store, "items" | "get">;

/**
 * Finds the served events that lose their last link to an accepted event when a repository leaves (its
 * announcement, and states): those linked to it, directly or not, from which no other links lead to an anchor.
 * Yields them in portions, the most distant of each first; each has to be out of service before the next is
 * asked for, so that one cut off anywhere leaves nothing that is not found from the repository again.
 */
export async function* hangingOn(
  store: Events,
  repository: readonly NostrEvent[],
  standing: (event: NostrEvent) => Standing,
): AsyncGenerator<readonly NostrEvent[]> {
  // Those that did not leave, as in a rehearsal, are not found for ever.
  const told = new Set<string>();
  const own = new Set(repository.map(({ id }) => id));
  const staying = new Set<string>();
  for (let isLess = true; isLess;) {
    isLess = false;
    const direct = (await neighbours(store, repository)).filter((id) => !own.has(id));
    for await (const found of portionsFrom({ store, own, standing, staying }, direct)) {
      const hanging = found.filter(({ id }) => !told.has(id));
      if (hanging.length === 0) continue;
      isLess = true;
      for (const { id } of hanging) told.add(id);
      yield hanging;
    }
  }
}

/** What a search works with. */
interface Search {
  readonly store: Events;
  /** Ids of the repository's own events: links end there. */
  readonly own: ReadonlySet<string>;
  readonly standing: (event: NostrEvent) => Standing;
  /** Ids of large groups that stay: found once. */
  readonly staying: Set<string>;
}

/** What hangs on `direct`, which the repository is linked to: some at once, fewer where much is linked to them. */
async function* portionsFrom(
  search: Search,
  direct: readonly string[],
): AsyncGenerator<readonly NostrEvent[]> {
  const { store, standing, staying } = search;
  const isUnwanted = (event: NostrEvent) => standing(event) === "unwanted";
  const work: (readonly string[])[] = [];
  for (let at = 0; at < direct.length; at += EVENTS_PER_QUERY) {
    work.push(direct.slice(at, at + EVENTS_PER_QUERY));
    for (let next = work.pop(); next; next = work.pop()) {
      const from = next.filter((id) => !staying.has(id));
      const links = await linkedWith(search, from);
      if (links) {
        const { linked, anchors, open } = links;
        const kept = reachable(linked, anchors);
        const leaves = (event: NostrEvent) =>
          !open.has(event.id) && (!kept.has(event.id) || isUnwanted(event));
        yield [...linked.values()].filter(leaves).reverse();
      } else if (from.length > 1) {
        const half = from.length >> 1;
        work.push(from.slice(half), from.slice(0, half));
      } else {
        const leaving = await leavingGroup(search, from[0]!);
        const place = new Map(leaving.map((id, index) => [id, index]));
        for (let to = leaving.length; to > 0; to -= MAX_EVENTS) {
          const events = await store.get(leaving.slice(Math.max(0, to - MAX_EVENTS), to));
          yield events.toSorted((a, b) => place.get(b.id)! - place.get(a.id)!);
        }
      }
    }
  }
}

/**
 * Ids of what leaves of the events that links connect with `id`, nearest first, where they are too many to
 * be held at once: all of them, or when one is an anchor, and when they are too many to be sure, only unwanted ones.
 */
async function leavingGroup(
  { store, own, standing, staying }: Search,
  id: string,
): Promise<readonly string[]> {
  const linked: string[] = [];
  const open = new Set<string>();
  const unwanted: string[] = [];
  const depths = new Map([[id, 1]]);
  const ahead = [id];
  let stays = false;
  for (let at = 0; at < ahead.length;) {
    const some = ahead.slice(at, at + EVENTS_PER_QUERY);
    at += some.length;
    stays ||= ahead.length > MAX_GROUP || some.some((found) => staying.has(found));
    if (ahead.length > MAX_GROUP) break;
    const further: NostrEvent[] = [];
    for (const event of await store.get(some)) {
      const found = linksNothing(event.kind) ? "apart" : standing(event);
      if (found === "anchor") stays = true;
      if (found !== "linked" && found !== "unwanted") continue;
      further.push(event);
      linked.push(event.id);
      if (found === "unwanted") unwanted.push(event.id);
    }
    if (further.length === 0) continue;
    const depth = Math.max(...some.map((found) => depths.get(found)!)) + 1;
    for (const next of await neighbours(store, further)) {
      if (own.has(next) || depths.has(next)) continue;
      if (depth > MAX_DEPTH) {
        for (const event of further) open.add(event.id);
        break;
      }
      depths.set(next, depth);
      ahead.push(next);
    }
  }
  if (!stays) return linked.filter((found) => !open.has(found));
  for (const found of linked) staying.add(found);
  return unwanted;
}

/** What one round found. */
interface Links {
  /** Events that are linked with the repository and stand by links only. */
  readonly linked: ReadonlyMap<string, NostrEvent>;
  readonly anchors: ReadonlyMap<string, NostrEvent>;
  /** Ids of linked events so far away that nobody followed their links. */
  readonly open: ReadonlySet<string>;
}

/**
 * Follows all links away from the repository, from some of its own; undefined when that leads to more events
 * than are held at once: of some of them one cannot know what they hang on.
 */
async function linkedWith(
  { store, own, standing }: Search,
  direct: readonly string[],
): Promise<Links | undefined> {
  const linked = new Map<string, NostrEvent>();
  const anchors = new Map<string, NostrEvent>();
  const seen = new Set(own);
  const looked = new Set(seen);
  const steps: { readonly from: readonly NostrEvent[]; readonly to: readonly string[] }[] = [];
  const ahead = direct.map((id) => ({ id, depth: 1 }));
  for (const id of direct) seen.add(id);
  const follow = async (from: readonly NostrEvent[], depth: number) => {
    const to = await neighbours(store, from);
    steps.push({ from, to });
    if (depth === MAX_DEPTH) return;
    for (const id of to) {
      if (seen.has(id)) continue;
      seen.add(id);
      ahead.push({ id, depth: depth + 1 });
    }
  };
  while (ahead.length > 0) {
    if (linked.size >= MAX_EVENTS) return undefined;
    const some = ahead.splice(-EVENTS_PER_QUERY);
    for (const { id } of some) looked.add(id);
    const further: NostrEvent[] = [];
    for (const event of await store.get(some.map(({ id }) => id))) {
      const found = linksNothing(event.kind) ? "apart" : standing(event);
      if (found === "apart") continue;
      (found === "anchor" ? anchors : linked).set(event.id, event);
      if (found !== "anchor") further.push(event);
    }
    if (further.length > 0) await follow(further, Math.max(...some.map(({ depth }) => depth)));
  }
  const unfinished = steps.filter(({ to }) => to.some((id) => !looked.has(id)));
  return { linked, anchors, open: new Set(unfinished.flatMap(({ from }) => from.map(({ id }) => id))) };
}

/** Ids of the events from which links lead to an anchor. */
function reachable(
  linked: ReadonlyMap<string, NostrEvent>,
  anchors: ReadonlyMap<string, NostrEvent>,
): ReadonlySet<string> {
  const byKey = new Map<string, NostrEvent[]>();
  const note = (key: string, event: NostrEvent) => byKey.set(key, [...byKey.get(key) ?? [], event]);
  for (const event of linked.values()) {
    const { ids, coordinates } = referencesOf(event);
    // Found by what it is called, and by what it refers to.
    for (const key of namesOf(event)) note(key, event);
    for (const key of [...ids, ...coordinates]) note(`=${key}`, event);
  }
  const kept = new Set<string>();
  const open = [...anchors.values()];
  for (let event = open.pop(); event; event = open.pop()) {
    const { ids, coordinates } = referencesOf(event);
    const links = [...ids, ...coordinates, ...namesOf(event).map((name) => `=${name}`)];
    for (const other of links.flatMap((key) => byKey.get(key) ?? [])) {
      if (kept.has(other.id)) continue;
      kept.add(other.id);
      open.push(other);
    }
  }
  return kept;
}

/** Ids of served events that refer to one of `events`, or that one of them refers to. */
async function neighbours(store: Events, events: readonly NostrEvent[]): Promise<readonly string[]> {
  const tags = (name: string, values: readonly string[]): Filter => ({ tags: new Map([[name, values]]) });
  const ids = events.map(({ id }) => id);
  const addresses = events.flatMap((event) => namesOf(event).slice(1));
  const references = events.map(referencesOf);
  const coordinates = [...new Set(references.flatMap((found) => found.coordinates))];
  const filters: Filter[] = [
    ...["e", "E"].map((name) => tags(name, ids)),
    ...["a", "A"].map((name) => tags(name, addresses)),
    tags("q", [...ids, ...addresses]),
    { ids: [...new Set(references.flatMap((found) => found.ids))], tags: new Map() },
    ...addressed(coordinates),
  ];
  const found = new Set<string>();
  for (const filter of filters) {
    for (const { id } of await store.items(filter, Infinity) ?? []) found.add(id);
  }
  return [...found];
}

/** Filters that find what coordinates name; they may find more of the same authors and identifiers. */
function addressed(coordinates: readonly string[]): Filter[] {
  const parsed = coordinates.map((text) => parseCoordinate(text)!)
    .filter(({ kind }) => kindClass(kind) === "addressable" || kindClass(kind) === "replaceable");
  return [...Map.groupBy(parsed, ({ kind, pubkey }) => `${kind}:${pubkey}`).values()].map((same) => {
    const [{ kind, pubkey }] = same as [typeof same[number]];
    const identifiers = same.map(({ identifier }) => identifier);
    // An event without a d tag has the empty identifier.
    const isNamed = kindClass(kind) === "addressable" && !identifiers.includes("");
    return { kinds: [kind], authors: [pubkey], tags: new Map(isNamed ? [["d", identifiers]] : []) };
  });
}

/** The id of an event, and the coordinate texts that name it. */
function namesOf(event: NostrEvent): string[] {
  const identifier = addressIdentifier(event);
  if (identifier === undefined) return [event.id];
  const short = `${event.kind}:${event.pubkey}`;
  return [event.id, `${short}:${identifier}`, ...(identifier === "" ? [short] : [])];
}

/** What the reference tags of an event name; coordinates as `kind:pubkey:identifier`. */
function referencesOf(event: NostrEvent): { ids: string[]; coordinates: string[] } {
  const ids: string[] = [];
  const coordinates: string[] = [];
  for (const [name, value] of event.tags) {
    if (ids.length + coordinates.length >= MAX_REFERENCES) break;
    if (value === undefined || !/^[aAeEq]$/.test(name ?? "")) continue;
    const parsed = /^[eE]$/.test(name!) ? undefined : parseCoordinate(value);
    if (parsed) coordinates.push(`${parsed.kind}:${parsed.pubkey}:${parsed.identifier}`);
    else if (!/^[aA]$/.test(name!) && isHex64(value)) ids.push(value);
  }
  return { ids, coordinates };
}
