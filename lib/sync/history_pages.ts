import type { Filter } from "../nostr/mod.ts";
import type { HistoryScope } from "./history_context.ts";
import { PageChain } from "./history_paging.ts";
import { runRequest } from "./history_request.ts";

/** How a chain of pages ended. */
export interface PagesEnd {
  /** Data of the filter is known to be missing. */
  readonly isFailed: boolean;
  readonly isPossiblyIncomplete: boolean;
}

/**
 * Fetches all events of a filter page by page. `received` is told every id that was processed, unless
 * a fault of ours kept it from being; such a fault fails the chain. Never rejects.
 */
export async function fetchPages(
  scope: HistoryScope,
  filter: Filter,
  received: (id: string) => void,
): Promise<PagesEnd> {
  const { context } = scope;
  const chain = new PageChain(filter.since, context.caps);
  let isFailed = false;
  for (;;) {
    const { until } = chain;
    const end = await runRequest(scope, {
      role: "h",
      filter: { ...filter, ...(until !== undefined && { until }), limit: context.bounds().pageLimit },
      collect(event, result) {
        if (result === "failed") isFailed = true;
        if (result === "failed" || result === "invalid") return;
        chain.add(event);
        received(event.id);
      },
    });
    const isPossiblyIncomplete = chain.isPossiblyIncomplete;
    if (end === "dropped" || end === "failed") return { isFailed: true, isPossiblyIncomplete };
    const step = chain.next(end);
    if (step !== "next") {
      return { isFailed: isFailed || step === "failed", isPossiblyIncomplete: chain.isPossiblyIncomplete };
    }
  }
}
