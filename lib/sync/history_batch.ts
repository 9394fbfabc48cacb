import type { Filter } from "../nostr/mod.ts";
import type { HistoryContext, HistoryScope } from "./history_context.ts";
import { IdFetch } from "./history_ids.ts";
import { fetchPages } from "./history_pages.ts";
import { negotiate, type Negotiated } from "./negotiation.ts";
import { ListedIds } from "./listed_ids.ts";
import { maxFilterLength } from "./peer_budget.ts";
import type { HistoryOutcome, HistoryRequest } from "./ports.ts";
import { splitToFit } from "./wire_filter.ts";

/** Ids that may be listed for one history; filters that list more are paged. */
const MAX_LISTED = 300_000;

/** Part of a filter of the request, small enough for one message. */
interface Piece {
  readonly filter: Filter;
  readonly source: Filter;
}

/** One history from its first message to its outcome. */
export class HistoryBatch {
  readonly #context: HistoryContext;
  readonly #request: HistoryRequest;
  readonly #ended = new AbortController();
  readonly #scope: HistoryScope;
  readonly #failed = new Set<Filter>();
  /** Which filters listed an id that has to be fetched. */
  readonly #sources = new Map<string, Set<Filter>>();
  #ids: IdFetch | undefined;
  #isPossiblyIncomplete = false;

  constructor(context: HistoryContext, request: HistoryRequest) {
    this.#context = context;
    this.#request = request;
    this.#scope = {
      context,
      progress: request.progress,
      listed: new ListedIds(context.listed, MAX_LISTED),
      signal: this.#ended.signal,
    };
  }

  /** Runs to the end, or to {@link drop}. Never rejects. */
  async run(): Promise<HistoryOutcome> {
    const { filters, progress } = this.#request;
    const { signal } = this.#ended;
    const dropped = new Promise<void>((resolve) =>
      signal.addEventListener("abort", () => resolve(), { once: true })
    );
    await Promise.race([this.#fetchOrFail(), dropped]);
    if (signal.aborted) {
      progress.outstandingSubs.clear();
      return { result: "dropped", failedFilters: [] };
    }
    const failedFilters = filters.filter((filter) => this.#failed.has(filter));
    progress.failed = failedFilters.length > 0;
    return {
      result: progress.failed ? "failed" : "complete",
      failedFilters,
      ...(this.#isPossiblyIncomplete && { possiblyIncomplete: true }),
    };
  }

  /** Ends it at once, with the outcome `dropped`. */
  drop(): void {
    this.#ended.abort();
  }

  /** An event arrived on this link, for whatever subscription, and was processed. */
  received(id: string): void {
    this.#ids?.received(id);
  }

  async #fetchOrFail(): Promise<void> {
    try {
      await this.#fetch();
    } catch (error) {
      this.#context.log.error("a history failed", { relay: this.#context.url, error: String(error) });
      for (const filter of this.#request.filters) this.#failed.add(filter);
    } finally {
      this.#scope.listed.end();
    }
  }

  async #fetch(): Promise<void> {
    const { filters, progress, allowNegentropy } = this.#request;
    const length = maxFilterLength(this.#context.bounds());
    const pieces = filters.flatMap((source) =>
      splitToFit(source, length).map((filter): Piece => ({ filter, source }))
    );
    const { settings, memory } = this.#context;
    if (!allowNegentropy || settings.disableNegentropy || memory.negentropy === "unsupported") {
      progress.method = "req";
      await Promise.all(pieces.map((piece) => this.#page(piece)));
      return;
    }
    progress.method = "negentropy";
    await this.#negotiateAll(pieces);
  }

  /** Each filter for itself: those that cannot be negotiated are paged without waiting for the others. */
  async #negotiateAll(pieces: readonly Piece[]): Promise<void> {
    const mood = { hasTimedOut: false };
    const paged: Promise<void>[] = [];
    const results = await Promise.all(pieces.map(async (piece): Promise<Negotiated> => {
      const result = await negotiate(this.#scope, piece.filter, mood);
      if (result.end === "request") paged.push(this.#page(piece));
      else if (result.end === "ids") this.#list(piece, result.ids);
      return result;
    }));
    if (results.every(({ end }) => end === "request")) this.#request.progress.method = "req";
    await Promise.all([...paged, this.#fetchIds()]);
  }

  #list({ source }: Piece, ids: readonly string[]): void {
    for (const id of ids) {
      const sources = this.#sources.get(id);
      if (sources) sources.add(source);
      else this.#sources.set(id, new Set([source]));
    }
  }

  async #page({ filter, source }: Piece): Promise<void> {
    const { isFailed, isPossiblyIncomplete } = await fetchPages(
      this.#scope,
      filter,
      (id) => this.received(id),
    );
    if (isFailed) this.#failed.add(source);
    if (isPossiblyIncomplete) {
      this.#isPossiblyIncomplete = true;
      this.#context.log.warn("peer does not send all events of one second: some may be missing", {
        relay: this.#context.url,
      });
    }
  }

  async #fetchIds(): Promise<void> {
    if (this.#sources.size === 0 || this.#ended.signal.aborted) return;
    const ids = this.#ids = new IdFetch(this.#scope, this.#sources.keys());
    const end = await ids.run();
    if (end === "dropped") return;
    if (end === "served") this.#context.memory.negentropy = "supported";
    else if (end === "unserved") {
      this.#context.unsupported("lists events it does not send");
      await this.#fallBack();
    }
    for (const id of ids.missing) {
      for (const source of this.#sources.get(id) ?? []) this.#failed.add(source);
    }
  }

  /** The same data by what it means instead of by id, for a peer that lists ids it does not serve. */
  async #fallBack(): Promise<void> {
    const { progress, filters } = this.#request;
    progress.method = "req";
    progress.requestedIds = progress.receivedIds = undefined;
    progress.retryCount = 0;
    const length = maxFilterLength(this.#context.bounds());
    const fallback = this.#request.fallback();
    const ends = await Promise.all(
      fallback.flatMap((filter) => splitToFit(filter, length)).map((filter) =>
        fetchPages(this.#scope, filter, (id) => this.received(id))
      ),
    );
    if (fallback.length === 0 || ends.some(({ isFailed }) => isFailed)) {
      for (const filter of filters) this.#failed.add(filter);
    }
    await this.#forgetUnwanted();
  }

  /** What was refused or superseded meanwhile is not missing. */
  async #forgetUnwanted(): Promise<void> {
    const { store, log, url } = this.#context;
    const ids = this.#ids?.missing ?? [];
    try {
      if (ids.length > 0) { for (const id of await store.unwanted(ids)) this.received(id); }
    } catch (error) {
      log.error("reading which events are held failed", { relay: url, error: String(error) });
    }
  }
}
