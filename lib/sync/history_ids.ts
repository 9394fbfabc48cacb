import { idsFilter } from "./wire_filter.ts";
import type { HistoryScope } from "./history_context.ts";
import { runRequest } from "./history_request.ts";

/** How fetching listed ids ended. */
export type IdsEnd =
  /** All arrived. */
  | "served"
  /** The peer was asked twice and sent nothing at the second time: it lists what it does not serve. */
  | "unserved"
  /** Some are missing for another reason. */
  | "failed"
  | "dropped";

/** Requests for ids at a time. */
const PARALLEL_REQUESTS = 4;
const LEAST_CHUNK = 25;
const MAX_ROUNDS = 8;

/**
 * Fetches events by id, in rounds: what a round did not bring is asked for again in smaller chunks
 * while there is progress, which helps with peers that cap such requests.
 */
export class IdFetch {
  readonly #scope: HistoryScope;
  /** Still to come. */
  readonly #missing: Set<string>;
  /** Not stored because of a fault of ours: asking again at once would blame the peer. */
  readonly #faulty = new Set<string>();

  constructor(scope: HistoryScope, ids: Iterable<string>) {
    this.#scope = scope;
    this.#missing = new Set(ids);
  }

  /** Ids that did not arrive, or could not be stored. */
  get missing(): readonly string[] {
    return [...this.#missing, ...this.#faulty];
  }

  /** An event with this id arrived, by whatever way, and was processed. */
  received(id: string): void {
    if (this.#missing.delete(id)) this.#scope.progress.receivedIds?.add(id);
    this.#faulty.delete(id);
  }

  /** An event with this id arrived and could not be stored. */
  fault(id: string): void {
    if (this.#missing.delete(id)) this.#faulty.add(id);
  }

  /** Runs all rounds. Never rejects. */
  async run(): Promise<IdsEnd> {
    const { context, progress, signal } = this.#scope;
    let chunk = context.bounds().idsPerRequest;
    for (let round = 0; round <= MAX_ROUNDS; round++) {
      const before = this.#missing.size;
      progress.requestedIds = new Set(this.#missing);
      progress.receivedIds = new Set();
      const allAnswered = await this.#round(chunk);
      if (signal.aborted) return "dropped";
      const arrived = before - this.#missing.size;
      await this.#forgetUnwanted([...this.#missing]);
      if (signal.aborted) return "dropped";
      if (this.#missing.size === 0) return this.#faulty.size === 0 ? "served" : "failed";
      if (arrived === 0 && !allAnswered) return "failed";
      if (arrived === 0 && round > 0) return "unserved";
      chunk = Math.min(chunk, Math.max(LEAST_CHUNK, Math.floor(chunk / 2)));
      progress.retryCount++;
    }
    return "failed";
  }

  /** Asks once for everything missing; false when some request was not answered in full. */
  async #round(chunkSize: number): Promise<boolean> {
    const ids = [...this.#missing];
    const chunks = Array.from(
      { length: Math.ceil(ids.length / chunkSize) },
      (_, index) => ids.slice(index * chunkSize, (index + 1) * chunkSize),
    );
    let allAnswered = true;
    const work = async () => {
      for (let chunk = chunks.shift(); chunk; chunk = chunks.shift()) {
        if (!(await this.#request(chunk))) allAnswered = false;
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_REQUESTS }, work));
    return allAnswered;
  }

  async #request(chunk: readonly string[]): Promise<boolean> {
    const { context, signal } = this.#scope;
    for (;;) {
      await this.#forgetUnwanted(chunk.filter((id) => this.#missing.has(id)));
      const ids = chunk.filter((id) => this.#missing.has(id));
      if (ids.length === 0 || signal.aborted) return true;
      const asked = new Set(ids);
      const { mark } = context.kept;
      const end = await runRequest(this.#scope, {
        role: "ids",
        filter: idsFilter(ids),
        collect: (event, result) => {
          const isHeld = asked.delete(event.id) && result === "duplicate";
          if (isHeld && !context.kept.isSince(event.id, mark)) context.redundant(event.id);
          if (result === "failed") this.fault(event.id);
          else if (result !== "invalid") this.received(event.id);
        },
      });
      if (end !== "overload") return end === "eose";
    }
  }

  /** Drops ids that need not be fetched any more, since they arrived by another way. */
  async #forgetUnwanted(ids: readonly string[]): Promise<void> {
    const { context: { store, log, url } } = this.#scope;
    if (ids.length === 0) return;
    try {
      for (const id of await store.unwanted(ids)) this.received(id);
    } catch (error) {
      log.error("reading which events are held failed", { relay: url, error: String(error) });
    }
  }
}
