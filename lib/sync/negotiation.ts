import { type Filter } from "../nostr/mod.ts";
import { nowSeconds } from "../world/mod.ts";
import type { HistoryScope } from "./history_context.ts";
import { type Exchange, exchange } from "./negotiation_exchange.ts";
import { closedMeaning, isSetTooLarge } from "./peer_reasons.ts";
import { halveTimeRange } from "./wire_filter.ts";

/** What negotiating a filter came to. */
export type Negotiated =
  /** Ids the peer listed and we lack, those that must not be fetched removed. */
  | { readonly end: "ids"; readonly ids: readonly string[] }
  /** The filter has to be fetched by REQ. */
  | { readonly end: "request" }
  | { readonly end: "dropped" };

/** Shared by the negotiations of one history. */
export interface NegotiationMood {
  /** One of them got no answer: the others are not worth waiting for. */
  hasTimedOut: boolean;
}

type Outcome = "complete" | "unsupported" | "timeout" | "blocked" | "failed" | "skipped" | "dropped";

/** Depth of halving time ranges for a peer whose set is too large. */
const MAX_DEPTH = 10;
const MAX_RESENDS = 3;

/** Negotiates a filter, in parts where the peer asks for it (NIP-77). Never rejects. */
export async function negotiate(
  scope: HistoryScope,
  filter: Filter,
  mood: NegotiationMood,
): Promise<Negotiated> {
  const { context } = scope;
  const ids = new Set<string>();
  // What is dropped for its date on arrival must not be listed: it would never count as served.
  const until = nowSeconds(context.clock) + context.settings.maxFutureSecs;
  const outcome = await negotiateRange(scope, { until, ...filter }, mood, ids, 0);
  if (outcome === "dropped") return { end: "dropped" };
  if (outcome === "skipped") return { end: "request" };
  context.metrics.negentropy(outcome);
  if (outcome !== "complete") return { end: "request" };
  context.memory.negentropyTimeouts = 0;
  return wantedOf(scope, ids);
}

async function wantedOf(
  { context: { store, log, url }, signal }: HistoryScope,
  ids: ReadonlySet<string>,
): Promise<Negotiated> {
  try {
    const unwanted = ids.size === 0 ? new Set<string>() : await store.unwanted([...ids]);
    if (signal.aborted) return { end: "dropped" };
    return { end: "ids", ids: [...ids].filter((id) => !unwanted.has(id)) };
  } catch (error) {
    log.error("reading which events are held failed", { relay: url, error: String(error) });
    return { end: "request" };
  }
}

/** Adds what is needed to `ids`. Halves are negotiated one after the other, so that the first to fail ends all. */
async function negotiateRange(
  scope: HistoryScope,
  filter: Filter,
  mood: NegotiationMood,
  ids: Set<string>,
  depth: number,
): Promise<Outcome> {
  const result = await negotiateOnce(scope, filter, mood);
  if (typeof result === "string") return result;
  if (result.end === "complete") {
    for (const id of result.ids) ids.add(id);
    return "complete";
  }
  const halves = depth < MAX_DEPTH
    ? halveTimeRange(filter, nowSeconds(scope.context.clock) + scope.context.settings.maxFutureSecs)
    : undefined;
  if (!halves) return "blocked";
  for (const half of halves) {
    const outcome = await negotiateRange(scope, half, mood, ids, depth + 1);
    if (outcome !== "complete") return outcome;
  }
  return "complete";
}

type Settled = Extract<Exchange, { readonly end: "complete" | "too_large" }>;

/** One exchange, sent again after an AUTH or a cooldown. */
async function negotiateOnce(
  scope: HistoryScope,
  filter: Filter,
  mood: NegotiationMood,
): Promise<Settled | Outcome> {
  const { context, signal } = scope;
  for (let sent = 0; sent <= MAX_RESENDS; sent++) {
    if (!(await context.meter.acquire("negotiation", signal))) return "dropped";
    let result: Exchange;
    try {
      if (mood.hasTimedOut || context.memory.negentropy === "unsupported") return "skipped";
      result = await exchange(scope, filter);
    } finally {
      context.meter.release("negotiation");
    }
    if (signal.aborted) return "dropped";
    if (result.end === "refused") {
      if (isSetTooLarge(result.reason)) return { end: "too_large" };
      if (result.reason.startsWith("unsupported:")) {
        return outcomeOf(scope, { end: "unsupported", why: "refuses it as unsupported" }, mood);
      }
      if (await isWorthAnother(scope, result.reason)) continue;
      return "failed";
    }
    return outcomeOf(scope, result, mood);
  }
  return "failed";
}

async function isWorthAnother({ context }: HistoryScope, reason: string): Promise<boolean> {
  switch (closedMeaning(reason)) {
    case "auth":
      return await context.authenticated();
    case "rate":
      context.rateLimited();
      return true;
    case "budget":
      return context.tooManySubscriptions();
    default:
      return false;
  }
}

function outcomeOf(
  { context }: HistoryScope,
  result: Exclude<Exchange, { readonly end: "refused" }>,
  mood: NegotiationMood,
): Settled | Outcome {
  switch (result.end) {
    case "complete":
    case "too_large":
      return result;
    case "unsupported":
      context.unsupported(result.why);
      return "unsupported";
    case "timeout":
      mood.hasTimedOut = true;
      context.timedOut();
      return "timeout";
    case "failed":
    case "dropped":
      return result.end;
  }
}
