import { type Filter, matchesFilter, type NostrEvent, serialiseEvent } from "../../nostr/mod.ts";
import type { StoredData } from "../../store/mod.ts";
import type { Progress } from "../progress.ts";
import type { ExportTarget } from "./target.ts";

/** What is exported. */
export interface ExportOptions {
  readonly data: StoredData;
  /** What is held back of an owner, or of one repository, instead of what is served. */
  readonly retired?: { readonly owner: string; readonly identifier: string | undefined };
  /** Events that match any of them; undefined: all. */
  readonly filters: readonly Filter[] | undefined;
  /** Earliest `created_at`, in seconds. */
  readonly since: number | undefined;
  readonly progress: Progress;
}

/**
 * Writes events one JSON text per line, oldest first, page by page. Events that arrive meanwhile may or
 * may not be among them. Returns how many were written; the target is closed whatever happens.
 */
export async function exportTo(target: ExportTarget, options: ExportOptions): Promise<number> {
  const { data, filters, since, progress } = options;
  const begin = Math.max(since ?? 0, Math.min(...filters?.map((filter) => filter.since ?? 0) ?? [0]));
  const until = Math.max(...filters?.map((filter) => filter.until ?? Infinity) ?? [Infinity]);
  let written = 0;
  try {
    progress.stage("exporting events", options.retired ? 0 : (await data.counts()).events);
    const range = {
      since: begin,
      ...(until < Infinity && { until }),
      ...(target.after && { after: target.after }),
    };
    for await (const page of options.retired ? heldTexts(data, options.retired) : data.texts(range)) {
      const wanted = filters ? page.filter((text) => matchesAny(filters, text)) : page;
      if (wanted.length > 0) await target.write(wanted.join("\n") + "\n");
      written += wanted.length;
      progress.advance(page.length);
    }
    await target.finish();
    return written;
  } finally {
    target.close();
  }
}

async function* heldTexts(
  data: StoredData,
  { owner, identifier }: NonNullable<ExportOptions["retired"]>,
): AsyncGenerator<readonly string[]> {
  for await (const { events } of data.held(owner, identifier)) yield events.map(serialiseEvent);
}

function matchesAny(filters: readonly Filter[], text: string): boolean {
  const event = JSON.parse(text) as NostrEvent;
  return filters.some((filter) => matchesFilter(filter, event));
}
