import type { NostrEvent } from "../nostr/mod.ts";

/**
 * What is known of the result cap of one peer. A page smaller than the threshold ends a chain, unless
 * the peer may cap silently: a page as large as any seen before is verified by one more request, and
 * when that brings more, its size is the threshold from then on.
 */
export class PageCaps {
  readonly #threshold: () => number;
  readonly #isAdvertised: () => boolean;
  readonly #learn: (threshold: number) => void;
  /** Pages up to this size are known not to be cut short. */
  #proven = 0;

  /** `learn` is told a threshold that `threshold` then returns. */
  constructor(threshold: () => number, isAdvertised: () => boolean, learn: (threshold: number) => void) {
    this.#threshold = threshold;
    this.#isAdvertised = isAdvertised;
    this.#learn = learn;
  }

  /** True when a page of `size` events may not be the last one. */
  isFull(size: number): boolean {
    return size >= this.#threshold();
  }

  /** True when a short page has to be verified. */
  isSuspicious(size: number): boolean {
    return size > this.#proven && !this.#isAdvertised();
  }

  /** A page of `size` events arrived: the peer's cap is not smaller. */
  seen(size: number): void {
    this.#proven = Math.max(this.#proven, size - 1);
  }

  /** The request that verified a page of `size` events brought more, or nothing. */
  verified(size: number, broughtMore: boolean): void {
    if (broughtMore) this.#learn(size);
    else this.#proven = Math.max(this.#proven, size);
  }
}

/** How a page ended: `eose`: the peer sent all it wants to send; `cut`, `overload`: we ended it. */
export type PageEnd = "eose" | "cut" | "overload";

/** What follows a page. */
export type PageStep = "done" | "next" | "failed";

const MAX_PAGES = 10_000;
const MAX_EVENTS = 1_000_000;

/**
 * One chain of pages through the events of a filter, newest first. The next page repeats the second
 * the last one ended in, since several events may share it.
 */
export class PageChain {
  readonly #since: number;
  readonly #caps: PageCaps;
  #until: number | undefined;
  /** Ids of earlier pages in the second `#until`. */
  #seen = new Set<string>();
  #page = new Map<string, number>();
  #fresh = 0;
  #pages = 0;
  #events = 0;
  /** Size of the page that the current one verifies. */
  #verifying: number | undefined;
  #isPossiblyIncomplete = false;

  /** `since` of the filter, in seconds. */
  constructor(since: number | undefined, caps: PageCaps) {
    this.#since = since ?? 0;
    this.#caps = caps;
  }

  /** `until` of the current page, in seconds; undefined for the first. */
  get until(): number | undefined {
    return this.#until;
  }

  /** More events of one second than the peer sends at once. */
  get isPossiblyIncomplete(): boolean {
    return this.#isPossiblyIncomplete;
  }

  /** Takes an event of the current page, whatever became of it; repetitions do not count. */
  add({ id, created_at }: Pick<NostrEvent, "id" | "created_at">): void {
    if (this.#page.has(id)) return;
    this.#page.set(id, created_at);
    this.#events++;
    if (created_at !== this.#until || !this.#seen.has(id)) this.#fresh++;
  }

  /** Ends the current page and says what follows. */
  next(end: PageEnd): PageStep {
    const size = this.#page.size;
    if (++this.#pages > MAX_PAGES || this.#events > MAX_EVENTS) return "failed";
    if (end === "overload") return this.#fresh > 0 ? this.#advance() : this.#repeat();
    if (end === "cut" && size === 0) return "failed";
    this.#caps.seen(size);
    const verified = this.#verifying;
    this.#verifying = undefined;
    if (verified !== undefined) this.#caps.verified(verified, this.#fresh > 0);
    if (end === "eose" && !this.#caps.isFull(size)) {
      if (size === 0 || verified !== undefined || !this.#caps.isSuspicious(size)) return "done";
      this.#verifying = size;
    } else if (this.#fresh === 0) return this.#stepBack();
    return this.#advance();
  }

  #repeat(): PageStep {
    this.#page = new Map();
    this.#fresh = 0;
    return "next";
  }

  /** Events of one second fill a page: whatever else that second holds cannot be reached. */
  #stepBack(): PageStep {
    this.#isPossiblyIncomplete = true;
    this.#until = (this.#until ?? 0) - 1;
    this.#seen = new Set();
    return this.#isExhausted ? "done" : this.#repeat();
  }

  #advance(): PageStep {
    const minimum = this.#minimum();
    if (minimum !== this.#until) this.#seen = new Set();
    for (const [id, createdAt] of this.#page) if (createdAt === minimum) this.#seen.add(id);
    this.#until = minimum;
    return this.#isExhausted ? "done" : this.#repeat();
  }

  get #isExhausted(): boolean {
    return this.#until !== undefined && (this.#until < this.#since || this.#until < 0);
  }

  #minimum(): number {
    let minimum = Infinity;
    for (const createdAt of this.#page.values()) minimum = Math.min(minimum, createdAt);
    return minimum;
  }
}
