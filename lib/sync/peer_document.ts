import type { Logger } from "../observe/mod.ts";
import type { Clock, Network } from "../world/mod.ts";
import type { PeerLimits, PeerMemory } from "./ports.ts";

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 128 << 10;
const MAX_REDIRECTS = 3;
/** How long a document is trusted. */
const KEPT_MS = 24 * 3_600_000;

/** Reads `limitation` of a relay information document (NIP-11); what is malformed counts as absent. */
export function parsePeerLimits(body: string): PeerLimits | undefined {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    return undefined;
  }
  const limitation = fieldOf(document, "limitation");
  const number = (name: string): number | undefined => {
    const value = fieldOf(limitation, name);
    return Number.isSafeInteger(value) && (value as number) > 0 ? value as number : undefined;
  };
  const all = {
    maxSubscriptions: number("max_subscriptions"),
    maxFilters: number("max_filters"),
    maxLimit: number("max_limit"),
    defaultLimit: number("default_limit"),
    maxMessageLength: number("max_message_length"),
    maxSubidLength: number("max_subid_length"),
    authRequired: fieldOf(limitation, "auth_required") === true ? true : undefined,
    historyStartsAt: number("created_at_lower_limit"),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** True when the limits in memory need not be fetched. `now` in wall milliseconds. */
export function hasFreshLimits(memory: PeerMemory, now: number): boolean {
  return memory.limits !== undefined && Math.abs(now - memory.limitsReadAt) < KEPT_MS;
}

/** What {@link fetchPeerLimits} needs. */
export interface DocumentRequest {
  readonly network: Network;
  readonly clock: Clock;
  readonly log: Logger;
  /** Normalised `ws:` or `wss:` URL of the relay. */
  readonly url: string;
  readonly trusted: boolean;
  readonly memory: PeerMemory;
  readonly signal: AbortSignal;
}

/** Fetches the document of a peer into its memory; a failure changes nothing. Never rejects. */
export async function fetchPeerLimits(request: DocumentRequest): Promise<void> {
  const { network, clock, log, url, trusted, memory, signal } = request;
  const answer = await network.get({
    url: url.replace(/^ws/, "http"),
    headers: { Accept: "application/nostr+json" },
    trusted,
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
    maxRedirects: MAX_REDIRECTS,
    signal,
  });
  if (signal.aborted || !answer.ok || answer.status !== 200) return;
  const limits = parsePeerLimits(new TextDecoder().decode(answer.body));
  if (!limits) return;
  memory.limits = limits;
  memory.limitsReadAt = clock.now();
  if (limits.historyStartsAt !== undefined) {
    log.info("peer keeps no events before a certain time: its history is partial", {
      relay: url,
      created_at_lower_limit: limits.historyStartsAt,
    });
  }
}
