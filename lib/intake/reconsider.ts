import { addressIdentifier, KIND, type NostrEvent } from "../nostr/mod.ts";
import type { Logger } from "../observe/mod.ts";
import { maintainerSet, newestByAuthor, viewOf } from "../policy/mod.ts";
import {
  type Changes,
  type InsertVerdict,
  type RefusedMatch,
  relatedKeys,
  type Store,
} from "../store/mod.ts";
import type { Clock } from "../world/mod.ts";
import type { Want } from "./ports.ts";
import { MAX_ATTEMPTS, type RefusedMemory } from "./refused_memory.ts";

/** How long a chain of events that make each other acceptable may get in one go. */
const MAX_LEVELS = 5;
/** Most events taken out for one event that became known. */
const MAX_EVENTS = 1_000;
/** Events that became known and were not looked at; beyond it newcomers are passed over. */
const MAX_QUEUE = 50_000;
/** Served events whose orphans are looked up together. */
const BATCH = 200;
/** The same want is not repeated within this time. */
const WANT_PAUSE_MS = 60_000;
/** Wants whose time is known; the oldest are forgotten first. */
const MAX_WANTS = 10_000;

/** What {@link Reconsideration} works with. */
export interface ReconsiderationParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly memory: RefusedMemory;
  readonly log: Logger;
  readonly wanted?: (want: Want) => void;
  /** Judges an event again. */
  readonly judge: (event: NostrEvent) => Promise<unknown>;
}

/** An event that became known. */
interface News {
  readonly event: NostrEvent;
  /** False for an announcement in purgatory, to which nothing is related yet. */
  readonly served: boolean;
  readonly level: number;
}

/**
 * Looks again at refused events when what they lacked became known. It follows the commits of the
 * store, so it makes no difference whether an announcement came from a client, another relay, a push
 * or a fetch. The work is done one after the other in the background: whoever committed may hold locks.
 */
export class Reconsideration {
  readonly #parts: ReconsiderationParts;
  readonly #stopWatching: () => void;
  readonly #queue: News[] = [];
  /** Levels of the events that are judged again right now. */
  readonly #levels = new Map<string, number>();
  readonly #wants = new Map<string, number>();
  #working: Promise<void> | undefined;
  #stopped = false;

  /** Begins to follow the commits of the store. */
  constructor(parts: ReconsiderationParts) {
    this.#parts = parts;
    this.#stopWatching = parts.store.watch((changes, verdicts) => this.#committed(changes, verdicts));
  }

  /** Resolves when nothing is left to be looked at. */
  async settled(): Promise<void> {
    await this.#working;
  }

  /** Stops following; resolves when the event under way is done. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopWatching();
    this.#queue.length = 0;
    await this.#working;
  }

  #committed(changes: Changes, verdicts: readonly InsertVerdict[]): void {
    changes.insertEvents?.forEach(({ event }, index) => {
      if (verdicts[index] === "stored") this.#add(event, true);
    });
    for (const { event, phase } of changes.putAnnouncements ?? []) {
      if (phase === "active") this.#add(event, false);
    }
  }

  #add(event: NostrEvent, served: boolean): void {
    const level = this.#levels.get(event.id) ?? 0;
    if (level >= MAX_LEVELS || this.#queue.length >= MAX_QUEUE) {
      this.#parts.log.debug("refused events are not looked at again", { event_id: event.id, level });
      return;
    }
    this.#queue.push({ event, served, level });
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    // The listener that got us here must not do database work.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      try {
        await this.#lookAt(this.#queue.splice(0, BATCH));
      } catch (error) {
        this.#parts.log.warn("refused events could not be looked at again", { error: String(error) });
      }
    }
    this.#working = undefined;
  }

  async #lookAt(batch: readonly News[]): Promise<void> {
    for (const { event, level } of batch) {
      if (this.#stopped) return;
      if (event.kind === KIND.announcement || event.kind === KIND.state) {
        await this.#again(await this.#repositoryEvents(event), event.id, level);
      }
    }
    const served = batch.filter((news) => news.served);
    const { related } = await this.#parts.store.refusedCounts();
    if (served.length === 0 || related.ids === 0 || this.#stopped) return;
    const keys = [...new Set(served.flatMap(({ event }) => relatedKeys(event).opens))];
    const matches = await this.#parts.store.refusedByKeys(keys, MAX_ATTEMPTS, MAX_EVENTS);
    await this.#again(matches, "", Math.max(...served.map(({ level }) => level)));
  }

  /** What an announcement or state that became known may make acceptable. */
  async #repositoryEvents(event: NostrEvent): Promise<readonly RefusedMatch[]> {
    const { store } = this.#parts;
    const identifier = addressIdentifier(event) ?? "";
    if (!await store.hasRefused(identifier)) return [];
    if (event.kind === KIND.state) {
      const query = { identifier, announcementsBy: [], statesBy: [event.pubkey] };
      return await store.refused(query, MAX_ATTEMPTS, MAX_EVENTS);
    }
    const view = viewOf(identifier, await store.readIdentifier(identifier));
    const members = [...maintainerSet(event.pubkey, newestByAuthor(view))];
    const query = { identifier, announcementsBy: members, statesBy: members };
    return await store.refused(query, MAX_ATTEMPTS, MAX_EVENTS);
  }

  async #again(matches: readonly RefusedMatch[], cause: string, level: number): Promise<void> {
    const { memory, judge } = this.#parts;
    const events = await memory.take(matches);
    this.#want(matches.filter(({ id, whole }) => !whole && id !== cause));
    for (const event of [...events].filter(({ id }) => id !== cause).sort(inOrder)) {
      if (this.#stopped) return;
      this.#levels.set(event.id, level + 1);
      try {
        await judge(event);
      } finally {
        this.#levels.delete(event.id);
      }
    }
  }

  /** Asks for what is known by id only, one want per kind and identifier. */
  #want(matches: readonly RefusedMatch[]): void {
    const { clock, wanted } = this.#parts;
    if (!wanted) return;
    const now = clock.monotonic();
    const groups = new Map<string, { kind: Want["kind"]; identifier: string; authors: Set<string> }>();
    for (const { type, author, identifier } of matches) {
      if (type === "related") continue;
      const key = `${type}:${author}:${identifier}`;
      if (now - (this.#wants.get(key) ?? -Infinity) < WANT_PAUSE_MS) continue;
      this.#wants.delete(key);
      this.#wants.set(key, now);
      const kind = type === "announcement" ? KIND.announcement : KIND.state;
      const group = groups.get(`${kind}:${identifier}`) ?? { kind, identifier, authors: new Set<string>() };
      groups.set(`${kind}:${identifier}`, group);
      group.authors.add(author);
    }
    for (const key of this.#wants.keys()) {
      if (this.#wants.size <= MAX_WANTS) break;
      this.#wants.delete(key);
    }
    for (const { kind, identifier, authors } of groups.values()) {
      wanted({ kind, identifier, authors: [...authors] });
    }
  }
}

/** Announcements before states before root events before updates before the rest; then oldest first. */
const RANK: readonly number[] = [
  KIND.announcement,
  KIND.state,
  KIND.patch,
  KIND.pullRequest,
  KIND.issue,
  KIND.pullRequestUpdate,
];

function inOrder(a: NostrEvent, b: NostrEvent): number {
  const rank = ({ kind }: NostrEvent) => (RANK.indexOf(kind) + RANK.length + 1) % (RANK.length + 1);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  return a.created_at - b.created_at || (a.id < b.id ? -1 : 1);
}
