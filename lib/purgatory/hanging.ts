import {
  addressIdentifier,
  type Filter,
  isHex64,
  KIND,
  kindClass,
  type NostrEvent,
  parseCoordinate,
} from "../nostr/mod.ts";
import type { Store } from "../store/mod.ts";

/** About the most events of one round, and most links followed away from the repository. */
const MAX_EVENTS = 2_000;
const MAX_DEPTH = 100;
/** Most references of one event that are followed, as when it was accepted. */
const MAX_REFERENCES = 1_000;
const EVENTS_PER_QUERY = 100;
/** They make nothing related, and are taken from anyone. */
const NO_LINKS: ReadonlySet<number> = new Set([KIND.deletion, KIND.graspList]);

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
 * Finds the served events that lose their last link to an accepted event when `repository` (its
 * announcement) leaves: those linked to it, directly or not, from which no other links lead to an anchor.
 * Yields them in portions, the most distant of each first; each has to be out of service before the next is
 * asked for, so that one cut off anywhere leaves nothing that is not found from the repository again. What
 * does not fit one round may hide a longer way to an anchor: it is looked at again when others have left.
 */
export async function* hangingOn(
  store: Events,
  repository: NostrEvent,
  standing: (event: NostrEvent) => Standing,
): AsyncGenerator<readonly NostrEvent[]> {
  // Those that did not leave, as in a rehearsal, are not found for ever.
  const told = new Set<string>();
  for (let isLess = true; isLess;) {
    isLess = false;
    const direct = (await neighbours(store, [repository])).filter((id) => id !== repository.id);
    for (let at = 0; at < direct.length; at += EVENTS_PER_QUERY) {
      const from = direct.slice(at, at + EVENTS_PER_QUERY);
      const { linked, anchors, open } = await linkedWith(store, repository, from, standing);
      const kept = reachable(linked, anchors);
      const hanging = [...linked.values()].filter((event) =>
        !told.has(event.id) && !open.has(event.id) && (!kept.has(event.id) || standing(event) === "unwanted")
      );
      if (hanging.length === 0) continue;
      isLess = true;
      for (const { id } of hanging) told.add(id);
      yield hanging.reverse();
    }
  }
}

/** What one round found. */
interface Links {
  /** Events that are linked with the repository and stand by links only. */
  readonly linked: ReadonlyMap<string, NostrEvent>;
  readonly anchors: ReadonlyMap<string, NostrEvent>;
  /** Ids of linked events that have links nobody followed: the repository is their way to be found again. */
  readonly open: ReadonlySet<string>;
}

/** Follows links away from the repository, from some of its own, depth first, so that whole branches are seen. */
async function linkedWith(
  store: Events,
  repository: NostrEvent,
  direct: readonly string[],
  standing: (event: NostrEvent) => Standing,
): Promise<Links> {
  const linked = new Map<string, NostrEvent>();
  const anchors = new Map<string, NostrEvent>();
  const seen = new Set([repository.id]);
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
  while (ahead.length > 0 && linked.size < MAX_EVENTS) {
    const some = ahead.splice(-EVENTS_PER_QUERY);
    for (const { id } of some) looked.add(id);
    const further: NostrEvent[] = [];
    for (const event of await store.get(some.map(({ id }) => id))) {
      const found = NO_LINKS.has(event.kind) ? "apart" : standing(event);
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
