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

/** Most events looked at in one round, and most links followed away from the repository. */
const MAX_EVENTS = 2_000;
const MAX_DEPTH = 100;
/** Most references of one event that are followed, as when it was accepted. */
const MAX_REFERENCES = 1_000;
const EVENTS_PER_QUERY = 100;
const PAGE = 500;
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

/**
 * Finds the served events that lose their last link to an accepted event when `repository` (its
 * announcement) leaves: those linked to it, directly or not, from which no other links lead to an anchor.
 * Yields them in portions; each has to be out of service before the next is asked for. Beyond the
 * bounds of one round, a longer way to an anchor may be missed.
 */
export async function* hangingOn(
  store: Pick<Store, "items" | "get">,
  repository: NostrEvent,
  standing: (event: NostrEvent) => Standing,
): AsyncGenerator<readonly NostrEvent[]> {
  for (;;) {
    const { linked, anchors } = await linkedWith(store, repository, standing);
    const kept = reachable(linked, anchors);
    const hanging = [...linked.values()].filter((event) =>
      !kept.has(event.id) || standing(event) === "unwanted"
    );
    if (hanging.length === 0) return;
    yield hanging;
  }
}

/** Everything linked with the repository that is not an anchor, and the anchors met on the way. */
async function linkedWith(
  store: Pick<Store, "items" | "get">,
  repository: NostrEvent,
  standing: (event: NostrEvent) => Standing,
) {
  const linked = new Map<string, NostrEvent>();
  const anchors = new Map<string, NostrEvent>();
  const apart = new Set([repository.id]);
  let frontier: NostrEvent[] = [repository];
  for (let depth = 0; depth < MAX_DEPTH && frontier.length > 0; depth++) {
    const next: NostrEvent[] = [];
    for (let at = 0; at < frontier.length; at += EVENTS_PER_QUERY) {
      for await (const event of neighbours(store, frontier.slice(at, at + EVENTS_PER_QUERY))) {
        if (linked.has(event.id) || anchors.has(event.id) || apart.has(event.id)) continue;
        const found = NO_LINKS.has(event.kind) ? "apart" : standing(event);
        if (found === "apart") apart.add(event.id);
        else if (found === "anchor") anchors.set(event.id, event);
        else if (linked.size < MAX_EVENTS) {
          linked.set(event.id, event);
          next.push(event);
        }
      }
    }
    frontier = next;
  }
  return { linked, anchors };
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

/** Served events that refer to one of `events`, or that one of them refers to; some more than once. */
async function* neighbours(
  store: Pick<Store, "items" | "get">,
  events: readonly NostrEvent[],
): AsyncGenerator<NostrEvent> {
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
  for (const filter of filters) {
    const items = await store.items(filter, Infinity) ?? [];
    for (let at = 0; at < items.length; at += PAGE) {
      yield* await store.get(items.slice(at, at + PAGE).map(({ id }) => id));
    }
  }
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
