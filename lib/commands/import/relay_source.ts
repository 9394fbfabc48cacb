import { PROGRAM_VERSION } from "../../config/mod.ts";
import { type Filter, serialiseEvent } from "../../nostr/mod.ts";
import { noMetrics } from "../../observe/mod.ts";
import { createNetwork } from "../../outgoing/mod.ts";
import { createOpenLink, type PeerLink, type PeerMemory, type SyncSettings } from "../../sync/mod.ts";
import type { Progress } from "../progress.ts";
import { emptyTally, type SourceTally } from "./file_source.ts";
import type { ImportEngine, ImportInput } from "./ports.ts";
import type { Spool } from "./spool.ts";

/** What is asked for, one after the other; the last brings everything else. */
const KINDS: readonly (readonly number[] | undefined)[] = [[30617], [30618], [5], undefined];

/** What reading from a relay needs. */
export interface RelaySource extends Pick<ImportInput, "clock" | "random" | "log"> {
  /** Normalised. */
  readonly url: string;
  readonly settings: SyncSettings;
  /** Answers AUTH (NIP-42). */
  readonly secretKey: Uint8Array;
  readonly store: ImportEngine["store"];
}

/**
 * Fills the spool with all events of a relay: by negentropy what is not stored here (NIP-77), else page
 * by page. The operator named the relay, so its address is not judged.
 */
export async function spoolRelay(
  source: RelaySource,
  spool: Spool,
  progress: Progress,
): Promise<SourceTally> {
  const { url, clock, random, log, settings, secretKey, store } = source;
  const tally = emptyTally();
  const openLink = createOpenLink({
    network: createNetwork({
      allowPrivate: true,
      ownAddresses: [],
      clock,
      userAgent: `ngit-grasp/${PROGRAM_VERSION}`,
      log,
    }),
    admit: (event) => {
      const added = spool.add(serialiseEvent(event));
      if (added === "added") tally.read++;
      else if (added === "repeated") tally.repeated++;
      else tally.bad++;
      progress.advance();
      return Promise.resolve({ result: "saved" });
    },
    store,
    secretKey,
    settings,
    clock,
    random,
    log,
    metrics: noMetrics().sync,
  });
  const leaving = new AbortController();
  let ended: string | undefined;
  const opened = await openLink({
    url,
    trusted: true,
    memory: blankMemory(),
    signal: leaving.signal,
    listener: { ended: (_, text) => ended ??= text, rateLimited() {} },
  });
  if (!opened.ok) return { ...tally, incomplete: `${url} could not be reached: ${opened.text}` };
  try {
    for (const kinds of KINDS) {
      const what = kinds ? `kind ${kinds.join(", ")}` : "everything else";
      progress.stage(`fetching ${what}`, 0);
      const problem = await fetchAll(opened.link, { ...(kinds && { kinds }), tags: new Map() });
      if (problem === undefined) continue;
      return { ...tally, incomplete: `${url}, ${what}: ${ended ?? problem}` };
    }
    return tally;
  } finally {
    opened.link.close();
    leaving.abort();
  }
}

/** A text when something is missing. */
async function fetchAll(link: PeerLink, filter: Filter): Promise<string | undefined> {
  const outcome = await link.history({
    progress: {
      outstandingSubs: new Set(),
      method: "req",
      requestedIds: undefined,
      receivedIds: undefined,
      retryCount: 0,
      failed: false,
    },
    filters: [filter],
    allowNegentropy: true,
    fallback: () => [filter],
  });
  if (outcome.result !== "complete") return "the relay did not send everything it was asked for";
  if (!outcome.possiblyIncomplete) return undefined;
  return "more events of one second than the relay sends at once: some may be missing";
}

function blankMemory(): PeerMemory {
  return {
    negentropy: "unknown",
    negentropyTimeouts: 0,
    learnedThreshold: undefined,
    liveNeedsSince: false,
    limits: undefined,
    limitsReadAt: 0,
    learnedBudget: undefined,
  };
}
