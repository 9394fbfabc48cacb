import { PROGRAM_VERSION } from "../config/mod.ts";
import type { Filter, NostrEvent } from "../nostr/mod.ts";
import { type Logger, noMetrics } from "../observe/mod.ts";
import { createNetwork } from "../outgoing/mod.ts";
import {
  createOpenLink,
  newBatchProgress,
  newPeerMemory,
  type PeerLink,
  type SyncSettings,
} from "../sync/mod.ts";
import type { Store } from "../store/mod.ts";
import type { Clock, Random } from "../world/mod.ts";

/** What reading everything from a relay needs. */
export interface RelayHistoryInput {
  /** Normalised; named by the operator, so its address is not judged. */
  readonly url: string;
  readonly settings: SyncSettings;
  /** Answers AUTH (NIP-42). */
  readonly secretKey: Uint8Array;
  /** What a negotiation compares with. */
  readonly store: Pick<Store, "heldItems" | "unwanted" | "watch">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Leave out what the store has, wants no more or refused (NIP-77); else everything comes, page by page. */
  readonly skipHeld: boolean;
  /** Told every event; it is well formed, and nothing else about it was checked. What it throws ends the reading. */
  readonly received: (event: NostrEvent) => void;
}

/** One filter, and how progress names it. */
export interface HistoryRequest {
  readonly filter: Filter;
  readonly what: string;
}

/**
 * Reads all events that match, one request after the other; `begins` is told each before it starts.
 * Resolves to a text when something is missing; rejects with what `received` threw.
 */
export async function relayHistory(
  input: RelayHistoryInput,
  requests: readonly HistoryRequest[],
  begins: (request: HistoryRequest) => void,
): Promise<string | undefined> {
  const { url, clock, log, skipHeld } = input;
  const leaving = new AbortController();
  let failure: { readonly error: unknown } | undefined;
  const openLink = createOpenLink({
    ...input,
    network: createNetwork({
      allowPrivate: true,
      ownAddresses: [],
      clock,
      userAgent: `ngit-grasp/${PROGRAM_VERSION}`,
      log,
    }),
    admit: (event) => {
      if (failure) return Promise.resolve({ result: "failed" });
      try {
        input.received(event);
      } catch (error) {
        failure = { error };
        leaving.abort();
      }
      return Promise.resolve({ result: failure ? "failed" : "saved" });
    },
    metrics: noMetrics().sync,
  });
  let ended: string | undefined;
  const opened = await openLink({
    url,
    trusted: true,
    memory: newPeerMemory(),
    signal: leaving.signal,
    listener: { ended: (_, text) => ended ??= text, rateLimited() {} },
  });
  if (!opened.ok) return `${url} could not be reached: ${opened.text}`;
  try {
    for (const request of requests) {
      begins(request);
      const problem = await fetchAll(opened.link, request.filter, skipHeld);
      if (failure) throw failure.error;
      if (problem !== undefined) return `${url}, ${request.what}: ${ended ?? problem}`;
    }
    return undefined;
  } finally {
    opened.link.close();
    leaving.abort();
  }
}

/** A text when something is missing. */
async function fetchAll(
  link: PeerLink,
  filter: Filter,
  allowNegentropy: boolean,
): Promise<string | undefined> {
  const outcome = await link.history({
    progress: newBatchProgress(),
    filters: [filter],
    allowNegentropy,
    fallback: () => [filter],
  });
  if (outcome.result !== "complete") return "the relay did not send everything it was asked for";
  if (!outcome.possiblyIncomplete) return undefined;
  return "more events of one second than the relay sends at once: some may be missing";
}
