import { uniform } from "../world/mod.ts";
import type { Filter, NostrEvent } from "../nostr/mod.ts";
import type { HistoryContext, HistoryScope } from "./history_context.ts";
import type { PageEnd } from "./history_paging.ts";
import type { EventResult } from "./link_intake.ts";
import type { Role, WireSubscription } from "./link_wire.ts";
import { closedMeaning } from "./peer_reasons.ts";
import { Timer } from "./timer.ts";

/** How a historic request ended. */
export type RequestEnd = PageEnd | "failed" | "dropped";

/** One REQ for stored events and what to do with them. */
export interface RequestPlan {
  readonly role: Role;
  readonly filter: Filter;
  /** Called for every event that was processed, in any order within a group. */
  collect(event: NostrEvent, result: EventResult): void;
}

type AttemptEnd = Exclude<RequestEnd, "failed"> | "silent" | { readonly closed: string };

/** More events in one page end it. */
const MAX_EVENTS = 5_000;
const ERROR_WAIT_MS = 5_000;
const ERROR_JITTER_MS = 1_000;
/** A request refused this often in a row for its rate is given up. */
const MAX_RATE_REFUSALS = 8;
const MAX_BUDGET_REFUSALS = 40;

/** What is left of each reason to send a request again. */
class Patience {
  silence = 1;
  auth = 1;
  error = 1;
  rate = MAX_RATE_REFUSALS;
  budget = MAX_BUDGET_REFUSALS;
}

/**
 * Sends a REQ, metered, and resends it where that may help: once after silence, an error or an AUTH,
 * after a cooldown, or with fewer subscriptions. Never rejects.
 */
export async function runRequest(scope: HistoryScope, plan: RequestPlan): Promise<RequestEnd> {
  const { context: { meter, wire }, progress: { outstandingSubs }, signal } = scope;
  const patience = new Patience();
  for (;;) {
    // Outstanding from here on, so that a batch whose requests wait for a slot is not taken for done.
    const id = wire.nextId(plan.role);
    outstandingSubs.add(id);
    try {
      if (!(await meter.acquire("request", signal))) return "dropped";
      let end: AttemptEnd;
      try {
        end = await attempt(scope, plan, id);
      } finally {
        meter.release("request");
      }
      if (end !== "silent" && typeof end === "string") return end;
      if (!(await isWorthAnother(scope, end, patience))) return signal.aborted ? "dropped" : "failed";
    } finally {
      outstandingSubs.delete(id);
    }
  }
}

async function isWorthAnother(
  { context, signal }: HistoryScope,
  end: "silent" | { readonly closed: string },
  patience: Patience,
): Promise<boolean> {
  if (end === "silent") {
    context.stalled();
    return patience.silence-- > 0;
  }
  switch (closedMeaning(end.closed)) {
    case "auth":
      return patience.auth-- > 0 && await context.authenticated() && !signal.aborted;
    case "budget":
      if (!context.tooManySubscriptions()) context.rateLimited();
      return patience.budget-- > 0;
    case "rate":
      context.rateLimited();
      return patience.rate-- > 0;
    case "final":
      logRefusal(context, end.closed);
      return false;
    case "error":
      if (patience.error-- <= 0) {
        logRefusal(context, end.closed);
        return false;
      }
      await context.clock.sleep(ERROR_WAIT_MS + uniform(context.random, 0, ERROR_JITTER_MS), signal);
      return !signal.aborted;
  }
}

function logRefusal({ log, url }: HistoryContext, reason: string): void {
  log.debug("peer refused a historic request", { relay: url, reason: reason.slice(0, 120) });
}

/** One REQ until it ends for whatever reason; it is off the wire then. */
async function attempt(
  { context, signal }: HistoryScope,
  { filter, collect }: RequestPlan,
  id: string,
): Promise<AttemptEnd> {
  const { clock, wire, intake, settings: { silenceMs, pageCapMs } } = context;
  const { promise, resolve } = Promise.withResolvers<AttemptEnd>();
  const timer = new Timer(clock);
  const startedAt = clock.monotonic();
  let heardAt = startedAt;
  let events = 0;
  /** Ends it now, and tells once what was received is processed. */
  const end = (how: AttemptEnd) => {
    wire.close(id);
    intake.mark(() => resolve(how));
  };
  const subscription: WireSubscription = {
    id,
    isHistoric: true,
    filters: [filter],
    arrived(event) {
      heardAt = clock.monotonic();
      if (event && ++events > MAX_EVENTS) end("cut");
    },
    processed: collect,
    eose: () => resolve("eose"),
    closed: (reason) => resolve({ closed: reason }),
    suspend: () => end("overload"),
  };
  const watch = () => {
    // While events of ours wait, nothing can be said about the peer.
    if (intake.depth > 0) heardAt = clock.monotonic();
    const silentAt = Math.max(heardAt, wire.answeredAt) + silenceMs;
    const now = clock.monotonic();
    if (now >= startedAt + pageCapMs) end("cut");
    else if (now >= silentAt) resolve("silent");
    else timer.start(Math.min(silentAt, startedAt + pageCapMs) - now, watch);
  };
  const drop = () => resolve("dropped");
  signal.addEventListener("abort", drop, { once: true });
  if (signal.aborted) drop();
  else {
    wire.open(subscription);
    watch();
  }
  const how = await promise;
  signal.removeEventListener("abort", drop);
  timer.stop();
  wire.close(id);
  return how;
}
