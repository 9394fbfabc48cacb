import type { HistoryContext } from "./history_context.ts";
import { HistoryBatch } from "./history_batch.ts";
import type { HistoryOutcome, HistoryRequest } from "./ports.ts";

/** All histories under way on one link. */
export class Histories {
  readonly #context: HistoryContext;
  readonly #batches = new Set<HistoryBatch>();

  constructor(context: HistoryContext) {
    this.#context = context;
  }

  /** Fetches one history; with others under way it shares the slots of the link. Never rejects. */
  async fetch(request: HistoryRequest): Promise<HistoryOutcome> {
    const batch = new HistoryBatch(this.#context, request);
    this.#batches.add(batch);
    try {
      return await batch.run();
    } finally {
      this.#batches.delete(batch);
    }
  }

  /** Ends all of them; their outcomes are `dropped`. */
  drop(): void {
    for (const batch of [...this.#batches]) batch.drop();
  }

  /** An event arrived on this link and was processed. */
  received(id: string): void {
    for (const batch of this.#batches) batch.received(id);
  }
}
