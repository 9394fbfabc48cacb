import { Arrivals, KeptEvents } from "./link_arrivals.ts";
import type { LinkParts, SharedParts } from "./link_parts.ts";
import { Link } from "./link_session.ts";
import { ItemRoom } from "../negentropy/mod.ts";
import type { OpenLink } from "./ports.ts";

export type { LinkParts } from "./link_parts.ts";

/** Items in the sets of all negotiations: some 170 MB. */
const NEGOTIATED_ITEMS = 4_000_000;
/** Ids that peers listed and that are to be fetched: some 300 MB. */
const LISTED_IDS = 600_000;
const MAX_WARNED = 1_000;
/** Larger messages end a connection; events above the configured size are merely dropped. */
const LEAST_MESSAGE_BYTES = 16 << 20;

/** Makes the function by which the sync engine opens links. */
export function createOpenLink(parts: LinkParts): OpenLink {
  const warned = new Set<string>();
  const shared: SharedParts = {
    ...parts,
    admit: (event, relay) => parts.admit(event, relay),
    room: new ItemRoom(NEGOTIATED_ITEMS),
    listed: new ItemRoom(LISTED_IDS),
    arrivals: new Arrivals(),
    kept: keptEvents(parts.store),
    warnOnce(url, message, reason) {
      if (warned.has(url) || warned.size >= MAX_WARNED) return;
      warned.add(url);
      parts.log.warn(message, { relay: url, reason });
    },
  };
  return async (request) => {
    const { network, settings } = parts;
    const early = new EarlyFrames();
    const dialled = await network.dial({
      url: request.url,
      trusted: request.trusted,
      timeoutMs: settings.connectTimeoutMs,
      maxMessageBytes: Math.max(LEAST_MESSAGE_BYTES, 4 * settings.maxEventBytes),
      signal: request.signal,
      listener: early,
    });
    if (!dialled.ok) return dialled;
    const link = new Link(shared, request, dialled.socket);
    early.hand(link);
    return { ok: true, link };
  };
}

/** Follows what the store takes in, so that an event that came by another way meanwhile is recognised. */
function keptEvents(store: LinkParts["store"]): KeptEvents {
  const kept = new KeptEvents();
  store.watch(({ insertEvents = [], putAnnouncements = [], putStates = [], putPullRequests = [] }) => {
    for (const { event } of [...insertEvents, ...putAnnouncements, ...putStates, ...putPullRequests]) {
      kept.add(event.id);
    }
  });
  return kept;
}

/** Takes what a socket delivers before its link exists, and passes on the rest. */
class EarlyFrames {
  #link: Link | undefined;
  #frames: string[] = [];
  #closed: string | undefined;

  message(text: string): void {
    if (this.#link) this.#link.receive(text);
    else if (this.#frames.length < 100) this.#frames.push(text);
  }

  closed(reason: string): void {
    if (this.#link) this.#link.socketClosed(reason);
    else this.#closed = reason;
  }

  /** The link exists: it gets what came so far. */
  hand(link: Link): void {
    this.#link = link;
    for (const text of this.#frames.splice(0)) link.receive(text);
    if (this.#closed !== undefined) link.socketClosed(this.#closed);
  }
}
