import { serialiseEvent } from "../../nostr/mod.ts";
import type { Progress } from "../progress.ts";
import { type HistoryRequest, relayHistory, type RelayHistoryInput } from "../relay_history.ts";
import type { Bounds } from "./bounds.ts";
import { emptyTally, type SourceTally } from "./file_source.ts";
import type { Spool } from "./spool.ts";

/** What is asked for, one after the other; the last brings everything else. */
const REQUESTS: readonly HistoryRequest[] = [[30617], [30618], [5], undefined].map((kinds) => ({
  filter: { ...(kinds && { kinds }), tags: new Map() },
  what: kinds ? `kind ${kinds.join(", ")}` : "everything else",
}));

/** What reading from a relay needs. */
export type RelaySource = Omit<RelayHistoryInput, "received" | "skipHeld">;

/**
 * Fills the spool with all events of a relay: by negentropy what is not stored here (NIP-77), else page
 * by page.
 */
export async function spoolRelay(
  source: RelaySource,
  spool: Spool,
  progress: Progress,
  bounds: Bounds,
): Promise<SourceTally> {
  const tally = emptyTally();
  const incomplete = await relayHistory(
    {
      ...source,
      skipHeld: true,
      received: (event) => {
        const text = serialiseEvent(event);
        bounds.take(text.length);
        const added = spool.add(text);
        if (added === "added") tally.read++;
        else if (added === "repeated") tally.repeated++;
        else tally.bad++;
        progress.advance();
      },
    },
    REQUESTS,
    ({ what }) => progress.stage(`fetching ${what}`, 0),
  );
  return incomplete === undefined ? tally : { ...tally, incomplete };
}
