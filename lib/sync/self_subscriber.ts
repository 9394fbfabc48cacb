import { KIND, type NostrEvent, parseAnnouncement, parseCoordinate } from "../nostr/mod.ts";
import type { Logger } from "../observe/mod.ts";
import type { Changes, InsertVerdict, Store, SyncStore } from "../store/mod.ts";
import type { Clock } from "../world/mod.ts";
import { repoRef } from "./items.ts";
import type { RepoIndex } from "./repo_index.ts";
import { Timer } from "./timer.ts";
import { relaysOf, type RelayUrlsOf } from "./repo_relays.ts";

/** What {@link SelfSubscriber} needs. */
export interface SelfSubscriberParts {
  readonly store: Pick<Store & SyncStore, "eventsOfKinds" | "query">;
  readonly repos: RepoIndex;
  readonly relayUrlsOf: RelayUrlsOf;
  readonly clock: Clock;
  readonly log: Logger;
  readonly batchMs: number;
  /** Acts on what has come together. */
  readonly onBatch: () => void;
}

/** Events that hang replies and states of their own off a repository: patch, pull request, issue (NIP-34). */
const ROOT_KINDS: readonly number[] = [KIND.patch, KIND.pullRequest, KIND.issue];
/** Root events of a returning repository read at once. */
const ROOTS_PAGE = 500;
const MAX_ORPHANS = 1_000;
const ORPHAN_MS = 60_000;
/** Repositories one root event may belong to; further tags are ignored. */
const MAX_REPOS_OF_ROOT = 100;

/** A root event of a repository that is not known yet. */
interface Orphan {
  readonly refs: readonly string[];
  readonly at: number;
}

/**
 * Follows what this server itself accepts: announcements and root events enter the index of wanted
 * repositories at their commit, and a batch acts on them at a fixed interval that events never
 * restart. What waits for the batch is the index itself, so the queue coalesces by repository.
 */
export class SelfSubscriber {
  readonly #parts: SelfSubscriberParts;
  readonly #timer: Timer;
  readonly #startedAt: number;
  readonly #orphans = new Map<string, Orphan>();
  /** While the database is read: event ids and coordinates that commits have changed meanwhile. */
  #changed: Set<string> | undefined;
  #announcementsSeen = 0;
  #isStopped = false;

  constructor(parts: SelfSubscriberParts) {
    this.#parts = parts;
    this.#timer = new Timer(parts.clock);
    this.#startedAt = parts.clock.monotonic();
  }

  /** Announcements accepted since the start. */
  get announcementsSeen(): number {
    return this.#announcementsSeen;
  }

  /** Reads all served announcements, then all root events; ends early when `signal` aborts. */
  async load(signal: AbortSignal): Promise<void> {
    const changed = this.#changed = new Set<string>();
    try {
      for await (const event of this.#parts.store.eventsOfKinds([KIND.announcement])) {
        if (signal.aborted) return;
        if (!changed.has(event.id)) this.#announcement(event, changed);
      }
      for await (const event of this.#parts.store.eventsOfKinds(ROOT_KINDS)) {
        if (signal.aborted) return;
        if (changed.has(event.id)) continue;
        for (const ref of refsOf(event)) this.#parts.repos.addRoot(ref, event.id);
      }
    } finally {
      this.#changed = undefined;
    }
  }

  /** Notes one unit of work; true when it may have changed what is wanted. */
  apply(changes: Changes, verdicts: readonly InsertVerdict[]): boolean {
    let isRelevant = false;
    const stored = new Set<string>();
    (changes.insertEvents ?? []).forEach(({ event }, index) => {
      if (verdicts[index] !== "stored") return;
      stored.add(event.id);
      if (event.kind === KIND.announcement) {
        this.#announcementsSeen++;
        const ref = this.#announcement(event);
        if (ref !== undefined) this.#changed?.add(ref);
        if (ref !== undefined && this.#parts.repos.levelOf(ref) !== "Full") void this.#readRoots(ref);
        isRelevant = true;
      } else if (ROOT_KINDS.includes(event.kind)) {
        this.#root(event);
        isRelevant = true;
      }
    });
    for (const id of changes.removeEvents ?? []) {
      if (stored.has(id)) continue;
      this.#changed?.add(id);
      this.#orphans.delete(id);
      this.#parts.repos.removeEvent(id);
      isRelevant = true;
    }
    return isRelevant;
  }

  /** Gives root events that came before their repository to it, if one has appeared. */
  adoptOrphans(): void {
    if (!this.#parts.repos.takeAppeared()) return;
    const oldest = this.#parts.clock.monotonic() - ORPHAN_MS;
    for (const [id, { refs, at }] of this.#orphans) {
      if (at < oldest) this.#orphans.delete(id);
      else if (refs.some((ref) => this.#parts.repos.has(ref))) {
        const missing = refs.filter((ref) => !this.#parts.repos.addRoot(ref, id));
        if (missing.length === 0) this.#orphans.delete(id);
      }
    }
  }

  /** Lets the next batch run, on the fixed grid of intervals since the start. */
  schedule(): void {
    if (this.#timer.isRunning) return;
    const { clock, batchMs, onBatch } = this.#parts;
    const wait = batchMs - (clock.monotonic() - this.#startedAt) % batchMs;
    this.#timer.start(wait, onBatch);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer.stop();
    this.#orphans.clear();
  }

  /** Takes an announcement unless its repository is among `except`; returns the coordinate. */
  #announcement(event: NostrEvent, except?: ReadonlySet<string>): string | undefined {
    const parsed = parseAnnouncement(event);
    if (!parsed.ok) return undefined;
    const { owner, identifier } = parsed.announcement;
    const ref = repoRef(owner, identifier);
    if (except?.has(ref)) return undefined;
    this.#parts.repos.setServed(ref, event, relaysOf(parsed.announcement, this.#parts.relayUrlsOf));
    return ref;
  }

  /**
   * A repository that is served from now on may have been served before, and its root events with it:
   * they stayed when it was deleted or left.
   */
  async #readRoots(ref: string): Promise<void> {
    const { repos, log } = this.#parts;
    let hasRoots = false;
    try {
      for (const tag of ["a", "A"]) {
        for await (const id of this.#storedRoots(tag, ref)) {
          if (this.#isStopped) return;
          hasRoots = repos.addRoot(ref, id) || hasRoots;
        }
      }
    } catch (error) {
      log.warn("root events of a repository could not be read", { repo: ref, error: String(error) });
    }
    if (hasRoots) this.schedule();
  }

  /** Ids of the served root events with this tag, page by page. */
  async *#storedRoots(tag: string, ref: string): AsyncIterable<string> {
    const seen = new Set<string>();
    for (let until = Number.MAX_SAFE_INTEGER;;) {
      const filter = { kinds: ROOT_KINDS, tags: new Map([[tag, [ref]]]), limit: ROOTS_PAGE, until };
      const page = (await this.#parts.store.query([filter])).events.map((text) =>
        JSON.parse(text) as NostrEvent
      );
      const fresh = page.filter(({ id }) => !seen.has(id));
      for (const { id } of fresh) {
        seen.add(id);
        yield id;
      }
      if (page.length < ROOTS_PAGE || fresh.length === 0) return;
      until = page.at(-1)!.created_at;
    }
  }

  #root(event: NostrEvent): void {
    const refs = refsOf(event);
    const missing = refs.filter((ref) => !this.#parts.repos.addRoot(ref, event.id));
    if (missing.length === 0) return;
    if (this.#orphans.size >= MAX_ORPHANS) {
      const [oldest] = this.#orphans.keys();
      this.#orphans.delete(oldest!);
    }
    this.#orphans.set(event.id, { refs: missing, at: this.#parts.clock.monotonic() });
  }
}

/** Coordinates of the repositories a root event names in `a` and `A` tags. */
function refsOf(event: NostrEvent): string[] {
  const refs = new Set<string>();
  for (const [name, value] of event.tags) {
    if ((name !== "a" && name !== "A") || value === undefined) continue;
    const coordinate = parseCoordinate(value);
    if (coordinate?.kind !== KIND.announcement) continue;
    refs.add(repoRef(coordinate.pubkey, coordinate.identifier));
    if (refs.size === MAX_REPOS_OF_ROOT) break;
  }
  return [...refs];
}
