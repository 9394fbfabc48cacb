import { eventHash, type NostrEvent, parseEvent } from "../nostr/mod.ts";
import type { Clock, Network, PeerSocket } from "../world/mod.ts";

/** How to read a relay. */
export interface RelayPagesInput {
  readonly network: Network;
  readonly clock: Clock;
  /** `ws:` or `wss:` URL, named by the operator. */
  readonly url: string;
  readonly kinds: readonly number[];
  readonly verify: (event: NostrEvent) => Promise<boolean>;
}

const PAGE = 500;
/** Pages after which a relay is not believed any more. */
const MAX_PAGES = 20_000;
const DIAL_MS = 20_000;
/** Longest silence within a page. */
const SILENCE_MS = 60_000;
const MAX_MESSAGE_BYTES = 16 << 20;

/**
 * All events of these kinds, page by page, newest first, each once; what is malformed or not signed by
 * its author is passed over. Throws one sentence when the relay cannot be read to the end.
 */
export async function* relayPages(input: RelayPagesInput): AsyncGenerator<NostrEvent> {
  const over = new AbortController();
  const reader = new PageReader(input.clock, over.signal);
  const dialled = await input.network.dial({
    url: input.url,
    trusted: true,
    timeoutMs: DIAL_MS,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    signal: over.signal,
    listener: reader,
  });
  if (!dialled.ok) throw new Error(`${input.url} cannot be reached: ${dialled.text}`);
  try {
    // Ids of the second a page ended in, which the next page begins with.
    let seen = new Set<string>();
    let until: number | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const filter = { kinds: input.kinds, limit: PAGE, ...(until !== undefined && { until }) };
      const events = await reader.page(dialled.socket, String(page), filter);
      const fresh = events.filter(({ id }) => !seen.has(id));
      for (const event of fresh) if (await isGenuine(event, input)) yield event;
      if (events.length === 0) return;
      const oldest = Math.min(...events.map(({ created_at }) => created_at));
      if (fresh.length === 0 && oldest === 0) return;
      // A whole page of one second: what else that second holds cannot be asked for.
      until = fresh.length === 0 || oldest === until ? oldest - 1 : oldest;
      seen = new Set(events.filter(({ created_at }) => created_at === oldest).map(({ id }) => id));
      if (until < 0) return;
    }
    throw new Error(`${input.url} does not come to an end`);
  } finally {
    dialled.socket.close();
    over.abort();
  }
}

async function isGenuine(event: NostrEvent, { kinds, verify }: RelayPagesInput): Promise<boolean> {
  return kinds.includes(event.kind) && eventHash(event) === event.id && await verify(event);
}

/** Collects the events of one subscription at a time. */
class PageReader {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #wake: () => void = () => {};
  #sub = "";
  #events: NostrEvent[] = [];
  #end: { readonly error?: string } | undefined;
  #heard = false;

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
  }

  /** Asks for one page and waits for its end. */
  async page(socket: PeerSocket, sub: string, filter: object): Promise<readonly NostrEvent[]> {
    this.#sub = sub;
    this.#events = [];
    if (!this.#end?.error) this.#end = undefined;
    socket.send(JSON.stringify(["REQ", sub, filter]));
    while (!this.#end) {
      this.#heard = false;
      const woken = new Promise<void>((resolve) => this.#wake = resolve);
      const timer = new AbortController();
      await Promise.race([
        woken,
        this.#clock.sleep(SILENCE_MS, AbortSignal.any([timer.signal, this.#signal])),
      ]);
      timer.abort();
      if (!this.#end && !this.#heard) this.#end = { error: "the relay is silent" };
    }
    if (this.#end.error !== undefined) throw new Error(`the relay cannot be read: ${this.#end.error}`);
    socket.send(JSON.stringify(["CLOSE", sub]));
    return this.#events;
  }

  message(text: string): void {
    this.#heard = true;
    const frame = frameOf(text);
    if (frame[1] === this.#sub && frame[0] === "EVENT") {
      const parsed = parseEvent(frame[2]);
      if (parsed.ok && this.#events.length < PAGE * 20) this.#events.push(parsed.event);
    } else if (frame[1] === this.#sub && frame[0] === "EOSE") this.#end = {};
    else if (frame[1] === this.#sub && frame[0] === "CLOSED") {
      this.#end = { error: `it closed the subscription: ${String(frame[2]).slice(0, 200)}` };
    }
    this.#wake();
  }

  closed(reason: string): void {
    this.#end ??= { error: reason };
    this.#wake();
  }
}

function frameOf(text: string): readonly unknown[] {
  try {
    const frame: unknown = JSON.parse(text);
    return Array.isArray(frame) ? frame : [];
  } catch {
    return [];
  }
}
