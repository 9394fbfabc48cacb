import { type Filter, type NostrEvent, parseFilter } from "../../lib/nostr/mod.ts";
import type { ClientMessage, Conversation, Rule } from "./scripted_peer.ts";
import type { WireFilter } from "./wire_log.ts";

/** Chooses client messages. */
export type Match = (message: ClientMessage) => boolean;

/** The filters of a REQ, or of a NEG-OPEN. */
export function filtersOf(message: ClientMessage): readonly WireFilter[] {
  const filters = message[0] === "REQ" ? message.slice(2) : message[0] === "NEG-OPEN" ? [message[2]] : [];
  return filters as WireFilter[];
}

/** REQs for stored events by meaning whose filter is accepted: no live ones, no fetches of ids, no probes. */
export function historicReq(accepts: (filter: WireFilter) => boolean = () => true): Match {
  return (message) =>
    message[0] === "REQ" && !String(message[1]).startsWith("ka-") &&
    filtersOf(message).every((filter) => filter.limit !== 0 && filter.ids === undefined && accepts(filter));
}

/** REQs for ids. */
export const idsReq: Match = (message) =>
  message[0] === "REQ" && filtersOf(message).some((filter) => filter.ids !== undefined);

/** Live REQs whose filter is accepted. */
export function liveReq(accepts: (filter: WireFilter) => boolean = () => true): Match {
  return (message) =>
    message[0] === "REQ" && filtersOf(message).some((filter) => filter.limit === 0 && accepts(filter));
}

/** CLOSED instead of EOSE, after the stored events or before any. */
export function closed(
  when: Match,
  reason: string,
  { times, afterEvents = false }: { readonly times?: number; readonly afterEvents?: boolean } = {},
): Rule {
  return rule(when, times, (message, talk) => {
    if (afterEvents) sendStored(message, talk);
    talk.send(["CLOSED", message[1], reason]);
  });
}

/** A NOTICE, and what a relay would do besides unless `only`. */
export function notice(
  when: Match,
  text: string,
  { times, only = false }: { readonly times?: number; readonly only?: boolean } = {},
): Rule {
  return rule(when, times, async (message, talk) => {
    talk.send(["NOTICE", text]);
    if (!only) await talk.proceed(message);
  });
}

/** The stored events and no EOSE. */
export function noEose(when: Match, times?: number): Rule {
  return rule(when, times, sendStored);
}

/** Frames of the test's own making before the usual answer. */
export function inserting(
  when: Match,
  frames: (id: string, message: ClientMessage) => readonly (string | ClientMessage)[],
  times?: number,
): Rule {
  return rule(when, times, async (message, talk) => {
    for (const frame of frames(String(message[1]), message)) talk.send(frame);
    await talk.proceed(message);
  });
}

/** Events without end, `perTick` of them every `tickMs`; stops when the subscription is closed or replaced. */
export function endless(
  when: Match,
  make: (serial: number) => NostrEvent,
  { perTick, tickMs }: { readonly perTick: number; readonly tickMs: number },
): Rule {
  return rule(when, undefined, (message, talk) => {
    const id = String(message[1]);
    const filters: [] = [];
    talk.subscriptions.set(id, filters);
    void stream(talk, id, () => talk.subscriptions.get(id) === filters, make, perTick, tickMs);
  });
}

async function stream(
  talk: Conversation,
  id: string,
  goesOn: () => boolean,
  make: (serial: number) => NostrEvent,
  perTick: number,
  tickMs: number,
): Promise<void> {
  for (let serial = 0; goesOn() && !talk.closed.aborted;) {
    for (const end = serial + perTick; serial < end; serial++) talk.send(["EVENT", id, make(serial)]);
    await talk.peer.clock.sleep(tickMs, talk.closed);
  }
}

/** Hangs up instead of answering. */
export function hangUp(when: Match, times?: number): Rule {
  return rule(when, times, (_message, talk) => talk.close());
}

/** Says nothing. */
export function ignore(when: Match, times?: number): Rule {
  return rule(when, times, () => {});
}

function sendStored(message: ClientMessage, talk: Conversation): void {
  const filters = filtersOf(message).map(parseFilter).filter((filter): filter is Filter =>
    typeof filter !== "string"
  );
  talk.subscriptions.set(String(message[1]), filters);
  talk.sendStored(String(message[1]), filters);
}

function rule(when: Match, times: number | undefined, act: Rule["act"]): Rule {
  return { when: (message) => when(message), act, ...(times !== undefined && { times }) };
}
