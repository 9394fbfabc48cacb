import type { FetchResult } from "../observe/mod.ts";
import type { RepositoryRef } from "../git/mod.ts";
import { type Candidate, orderUrls } from "./candidates.ts";
import { HUNT, HUNT_LIMIT } from "./durations.ts";
import { copyFromHere, type Look, look } from "./look.ts";
import type { FetchOutcome, HuntParts } from "./ports.ts";
import type { QueuedUnit } from "./queue.ts";
import type { HostThrottle, HostTurn } from "./throttle.ts";
import type { Upkeep } from "./upkeep.ts";

/** What one hunt came to. */
export type HuntResult = "complete" | "partial" | "nothing" | "no_url" | "gone";

/** What the hunts of one server share. */
export interface SearcherParts extends HuntParts {
  readonly throttle: HostThrottle;
  readonly upkeep: Upkeep;
  readonly signal: AbortSignal;
}

/** Results after which the server is known to work. */
const ANSWERED: ReadonlySet<FetchResult> = new Set<FetchResult>(["fetched", "nothing"]);

/** Looks for the data of one unit: here, then at one URL after the other. */
export class Searcher {
  readonly #parts: SearcherParts;
  /** Hosts the address guard refused: until when (monotonic ms) they are left alone. */
  readonly #blocked = new Map<string, number>();

  constructor(parts: SearcherParts) {
    this.#parts = parts;
  }

  /**
   * One hunt: every URL once, except those of busy hosts, at which the unit queues. Whatever was
   * obtained is released at once, also when a later fetch fails.
   */
  async hunt(queued: QueuedUnit): Promise<HuntResult> {
    const target = { owner: queued.owner, identifier: queued.identifier };
    const done = this.#parts.repositories.use(target);
    try {
      const seen = await look(this.#parts, target);
      if (!seen) return "gone";
      const result = await this.#search(queued, target, seen);
      this.#parts.metrics.hunt(result);
      return result;
    } finally {
      done();
    }
  }

  /** The unit's turn at a host whose queue it waited in: one URL. Frees the slot. */
  async turn(queued: QueuedUnit, turn: HostTurn): Promise<void> {
    const { throttle, clock, repositories } = this.#parts;
    const target = { owner: queued.owner, identifier: queued.identifier };
    const done = repositories.use(target);
    let fetched = false;
    let isDecided = false;
    try {
      const seen = await look(this.#parts, target);
      const untried = (seen ? this.#inOrder(queued, seen) : []).filter(({ host, url }) =>
        host === turn.host && !turn.tried.has(url)
      );
      const next = untried.find((candidate) => this.#wantedFrom(queued, candidate, seen!.missing).length > 0);
      const isOver = next === undefined || this.#unusable(next) !== undefined ||
        !await this.#parts.settings.hasSpace();
      isDecided = true;
      if (isOver || untried.length === 1) throttle.remove(queued.key, turn.host);
      else throttle.enqueue(turn.host, queued.key, [next.url], clock.monotonic());
      if (isOver) return;
      fetched = true;
      const { obtained } = await this.#fetch(queued, target, next, seen!);
      if (obtained.size > 0) this.#parts.upkeep.note(target);
      await this.#release(target);
    } finally {
      done();
      // After a fault here its next turn would come at once; its own schedule brings it back.
      if (!isDecided) throttle.remove(queued.key, turn.host);
      if (fetched) throttle.free(turn.host, clock.monotonic());
      else throttle.refund(turn, clock.monotonic());
    }
  }

  async #search(
    queued: QueuedUnit,
    target: RepositoryRef,
    first: Look,
  ): Promise<Exclude<HuntResult, "gone">> {
    const { settings, clock, signal, metrics, log } = this.#parts;
    for (const reason of first.urls.skipped) metrics.urlSkipped(reason);
    if (first.missing.size === 0) {
      await this.#arrived(target);
      return "complete";
    }
    let seen: Look | undefined = first;
    let obtained = await copyFromHere(this.#parts, first, signal);
    if (obtained > 0) {
      log.debug("git data copied from repositories here", { repo: target.identifier, objects: obtained });
      seen = await this.#arrived(target);
    }
    const endsAt = clock.monotonic() + HUNT.huntMs;
    let asked = 0;
    let isMarked = false;
    const throttled = new Map<string, Set<string>>();
    const tried = new Map<string, Set<string>>();
    for (const candidate of settings.enabled && seen ? this.#inOrder(queued, seen) : []) {
      if (!seen || seen.missing.size === 0 || signal.aborted || clock.monotonic() > endsAt) break;
      if (!await settings.hasSpace()) break;
      const taken = this.#take(queued, candidate, seen);
      if (taken === "throttled") addTo(throttled, candidate.host, candidate.url);
      if (taken !== "taken") continue;
      asked++;
      addTo(tried, candidate.host, candidate.url);
      const outcome = await this.#fetch(queued, target, candidate, seen)
        .finally(() => this.#parts.throttle.free(candidate.host, clock.monotonic()));
      obtained += outcome.obtained.size;
      isMarked = outcome.obtained.size === 0;
      if (!isMarked) seen = await this.#arrived(target);
    }
    if (seen && seen.missing.size > 0) this.#queueAt(queued, throttled, tried);
    if (isMarked) await this.#release(target);
    if (!seen || seen.missing.size === 0) return "complete";
    if (obtained > 0) return "partial";
    return asked > 0 || throttled.size > 0 ? "nothing" : "no_url";
  }

  #inOrder(queued: QueuedUnit, seen: Look): readonly Candidate[] {
    return orderUrls(seen.urls.remote, (url) => queued.memory.past(url));
  }

  /** Checks a candidate and takes its host's slot, in one step without waiting. */
  #take(queued: QueuedUnit, candidate: Candidate, { missing }: Look): "taken" | "throttled" | "skipped" {
    const { throttle, clock, metrics } = this.#parts;
    if (this.#wantedFrom(queued, candidate, missing).length === 0) return "skipped";
    const reason = this.#unusable(candidate);
    if (reason !== undefined) {
      metrics.urlSkipped(reason);
      return "skipped";
    }
    if (throttle.take(candidate.host, clock.monotonic())) return "taken";
    metrics.urlSkipped("throttled");
    return "throttled";
  }

  #unusable({ host }: Candidate): "naughty" | "private" | undefined {
    if (this.#parts.naughty.get(host)) return "naughty";
    return (this.#blocked.get(host) ?? 0) > this.#parts.clock.monotonic() ? "private" : undefined;
  }

  #wantedFrom({ memory }: QueuedUnit, { url, only }: Candidate, missing: ReadonlySet<string>): string[] {
    const now = this.#parts.clock.monotonic();
    return [...missing].filter((oid) => (!only || only.has(oid)) && !memory.lacks(url, oid, now));
  }

  /** One fetch; everything that is remembered of it. */
  async #fetch(
    queued: QueuedUnit,
    target: RepositoryRef,
    candidate: Candidate,
    { unit, missing }: Look,
  ): Promise<FetchOutcome> {
    const { remote, store, clock, metrics, log, signal } = this.#parts;
    // Durable before anything is written: a start looks at this repository again, and clears its locks.
    await store.commit({ putDirty: [{ ...target, since: clock.now() }] });
    const begun = clock.monotonic();
    const outcome = await remote.fetch({
      url: candidate.url,
      target,
      oids: this.#wantedFrom(queued, candidate, missing),
      pullRequestIds: unit.pullRequests.map(({ row }) => row.event.id),
      branches: candidate.origin !== "listing",
      signal,
    });
    const now = clock.monotonic();
    const { result, obtained, bytes, text } = outcome;
    metrics.fetch(result, (now - begun) / 1000, bytes, obtained.size);
    queued.memory.record(candidate.url, outcome, now, clock.now());
    this.#judge(candidate.host, outcome, now);
    log.debug("git data fetched from another server", {
      repo: target.identifier,
      host: candidate.host,
      result,
      objects: obtained.size,
      bytes,
      ms: Math.round(now - begun),
      text: text === "" ? undefined : text,
    });
    return outcome;
  }

  #judge(host: string, { result, category, retryAfterMs, text }: FetchOutcome, now: number): void {
    const { naughty, throttle } = this.#parts;
    if (category) naughty.record(host, category, text);
    else if (ANSWERED.has(result)) naughty.clear(host);
    if (retryAfterMs !== undefined) {
      throttle.holdUntil(host, now + Math.min(retryAfterMs, HUNT.longestRetryAfterMs), now);
    }
    if (result !== "blocked") return;
    for (const [other, until] of this.#blocked) {
      if (until > now && this.#blocked.size < HUNT_LIMIT.hosts) break;
      this.#blocked.delete(other);
    }
    this.#blocked.set(host, now + HUNT.blockedMs);
  }

  /** Releases what the data at hand completes, and looks again at what is left. */
  async #arrived(target: RepositoryRef): Promise<Look | undefined> {
    this.#parts.upkeep.note(target);
    await this.#release(target);
    return await look(this.#parts, target);
  }

  /** Door 2, which also takes the mark of a fetch away. */
  async #release({ identifier, owner }: RepositoryRef): Promise<void> {
    await this.#parts.release(identifier, owner);
  }

  /** Busy hosts with URLs that were not tried serve the unit when its turn comes. */
  #queueAt(
    { key }: QueuedUnit,
    throttled: ReadonlyMap<string, ReadonlySet<string>>,
    tried: ReadonlyMap<string, ReadonlySet<string>>,
  ): void {
    const { throttle, clock } = this.#parts;
    for (const host of throttled.keys()) {
      throttle.enqueue(host, key, tried.get(host) ?? [], clock.monotonic());
    }
  }
}

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  map.set(key, (map.get(key) ?? new Set<string>()).add(value));
}
