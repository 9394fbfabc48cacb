import {
  compareNewestFirst,
  eventHash,
  type Filter,
  matchesFilter,
  type NostrEvent,
  parseEvent,
  serialiseEvent,
} from "../../lib/nostr/mod.ts";
import type { Logger } from "../../lib/observe/mod.ts";
import {
  type AdmitAnswer,
  createRelay,
  type EventSink,
  type Relay,
  type RelayBounds,
  type RelayLimits,
  type RelayMetrics,
  type RelayStore,
} from "../../lib/relay/mod.ts";
import type { Item } from "../../lib/store/types.ts";
import { type Clock, systemClock } from "../../lib/world/mod.ts";
import type { Draft } from "../support/keys.ts";

/** A log that keeps its lines. */
export class MemoryLog implements Logger {
  readonly lines: string[] = [];
  error(message: string): void {
    this.lines.push(`error ${message}`);
  }
  warn(message: string): void {
    this.lines.push(`warn ${message}`);
  }
  info(): void {}
  debug(): void {}
  trace(): void {}
  target(): Logger {
    return this;
  }
}

/** Events in an array, with the limits a relay applies. */
export class ArrayStore implements RelayStore {
  readonly events: NostrEvent[] = [];
  /** Awaited after a query has read its events, so that a test can act in between. */
  afterRead: () => Promise<void> | void = () => {};

  async query(filters: readonly Filter[]): Promise<{ events: readonly string[] }> {
    const found = new Set(
      filters.flatMap((filter) =>
        this.events.filter((event) => matchesFilter(filter, event)).sort(compareNewestFirst)
          .slice(0, Math.min(filter.limit ?? 500, 5_000))
      ),
    );
    const texts = [...found].sort(compareNewestFirst).map(serialiseEvent);
    await this.afterRead();
    return { events: texts };
  }

  count(filters: readonly Filter[]): Promise<number> {
    return Promise.resolve(
      this.events.filter((event) => filters.some((filter) => matchesFilter(filter, event))).length,
    );
  }

  async items(filter: Filter, max: number): Promise<readonly Item[] | undefined> {
    const found = this.events.filter((event) => matchesFilter(filter, event))
      .map(({ id, created_at }) => ({ id, createdAt: created_at }))
      .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
    await this.afterRead();
    return found.length > max ? undefined : found;
  }
}

const AUTHOR = "a".repeat(64);
let serial = 0;

/** An event with a true id and no true signature: the relay leaves signatures to the intake. */
export function unsigned(draft: Partial<Draft> & { pubkey?: string } = {}): NostrEvent {
  const { kind = 1, tags = [], content = `event ${++serial}`, created_at = 1_700_000_000 + serial } = draft;
  const fields = { kind, tags, content, created_at, pubkey: draft.pubkey ?? AUTHOR };
  return { ...fields, id: eventHash(fields), sig: "0".repeat(128) };
}

/** Counts of what the relay reported. */
export class CountingMetrics implements RelayMetrics {
  opened = 0;
  closed = 0;
  open = 0;
  readonly rejections: string[] = [];
  readonly receivedTypes: string[] = [];
  readonly sentTypes: string[] = [];
  readonly limited: string[] = [];
  connectionOpened(): void {
    this.opened++;
  }
  connectionClosed(): void {
    this.closed++;
  }
  rejected(reason: string): void {
    this.rejections.push(reason);
  }
  received(type: string): void {
    this.receivedTypes.push(type);
  }
  sent(type: string): void {
    this.sentTypes.push(type);
  }
  subscriptions(delta: number): void {
    this.open += delta;
  }
  rateLimited(kind: string): void {
    this.limited.push(kind);
  }
}

/** The documented defaults. */
export const LIMITS: RelayLimits = {
  maxConnections: undefined,
  maxConnectionsPerIp: 0,
  maxSubscriptions: 500,
  maxEventsPerMinute: 60,
  maxSubidLength: 250,
  maxMessageBytes: 16 << 20,
  maxFiltersPerReq: 64,
  maxNegentropyItems: 1_000_000,
};

/** What a test may change. */
export interface TestRelayOptions {
  readonly limits?: Partial<RelayLimits>;
  readonly bounds?: Partial<RelayBounds>;
  readonly clock?: Clock;
  readonly sink?: EventSink;
  readonly store?: RelayStore;
}

/** A relay behind a real listener. */
export interface TestRelay {
  readonly url: string;
  readonly port: number;
  readonly relay: Relay;
  readonly store: ArrayStore;
  readonly metrics: CountingMetrics;
  readonly log: MemoryLog;
  /** Stores an event and publishes it, as the intake does. */
  accept(event: NostrEvent): void;
}

/** Runs `work` against a relay on a free port and takes everything down afterwards. */
export async function withRelay(
  options: TestRelayOptions,
  work: (test: TestRelay) => Promise<void>,
): Promise<void> {
  const store = new ArrayStore();
  const metrics = new CountingMetrics();
  const log = new MemoryLog();
  const accept = (event: NostrEvent) => {
    store.events.push(event);
    relay.publish(event, serialiseEvent(event));
  };
  const relay = createRelay({
    limits: { ...LIMITS, ...options.limits },
    bounds: { stopDeadlineMs: 500, ...options.bounds },
    store: options.store ?? store,
    sink: options.sink ?? { admit: (value) => Promise.resolve(admit(value, accept)) },
    clock: options.clock ?? systemClock,
    log,
    metrics,
  });
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request, { remoteAddr }) => {
      const response = relay.upgrade(request, (remoteAddr as Deno.NetAddr).hostname);
      response.headers.set("access-control-allow-origin", "*");
      return response;
    },
  );
  const { port } = server.addr;
  try {
    await work({ url: `ws://127.0.0.1:${port}/`, port, relay, store, metrics, log, accept });
  } finally {
    if (!options.clock) await relay.stop();
    await server.shutdown();
  }
}

/** The intake in small: shape, id, and a policy that refuses kind 0. */
function admit(value: unknown, accept: (event: NostrEvent) => void): AdmitAnswer {
  const parsed = parseEvent(value);
  if (!parsed.ok) return { id: parsed.id, accepted: false, message: "invalid: malformed event" };
  const { event } = parsed;
  const answer = { id: event.id, accepted: false };
  if (eventHash(event) !== event.id) return { ...answer, message: "invalid: event id does not match" };
  if (event.kind === 0) return { ...answer, message: "blocked: not related to a repository" };
  accept(event);
  return { ...answer, accepted: true, message: "" };
}

/** Headers of a correct handshake. */
export const HANDSHAKE: Readonly<Record<string, string>> = {
  Host: "localhost",
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** A TCP connection that has sent one request; `head` is what came back up to the empty line. */
export interface RawUpgrade {
  readonly connection: Deno.TcpConn;
  readonly status: number;
  readonly head: string;
}

/** Sends a handshake by hand, so that every header is under control; empty values leave one out. */
export async function rawUpgrade(
  port: number,
  headers: Readonly<Record<string, string>> = {},
  path = "/",
): Promise<RawUpgrade> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const lines = Object.entries({ ...HANDSHAKE, ...headers }).filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}: ${value}`);
  await connection.write(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`));
  let head = "";
  const byte = new Uint8Array(1);
  while (!head.endsWith("\r\n\r\n") && await connection.read(byte) !== null) {
    head += String.fromCharCode(byte[0]!);
  }
  return { connection, status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), head: head.toLowerCase() };
}

/** Sends one short text frame by hand. */
export async function sendText({ connection }: RawUpgrade, text: string): Promise<void> {
  const payload = new TextEncoder().encode(text);
  if (payload.length > 125) throw new Error("sendText writes short frames only");
  await connection.write(Uint8Array.of(0x81, 0x80 | payload.length, 0, 0, 0, 0, ...payload));
}

/** Reads to the server's close frame: its code, and how many frames came before. */
export async function readCloseFrame(raw: RawUpgrade): Promise<{ before: number; code: number }> {
  for (let before = 0;; before++) {
    const { opcode, payload } = await readFrame(raw);
    if (opcode === 8) return { before, code: new DataView(payload.buffer).getUint16(0) };
  }
}

/** Reads one frame of the server. */
export async function readFrame(
  { connection }: RawUpgrade,
): Promise<{ opcode: number; payload: Uint8Array }> {
  const head = await readExactly(connection, 2);
  const short = head[1]! & 0x7f;
  let length = short;
  if (short >= 126) {
    const extended = await readExactly(connection, short === 126 ? 2 : 8);
    length = extended.reduce((sum, byte) => sum * 256 + byte, 0);
  }
  return { opcode: head[0]! & 0x0f, payload: await readExactly(connection, length) };
}

async function readExactly(connection: Deno.TcpConn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let filled = 0; filled < length;) {
    const read = await connection.read(bytes.subarray(filled));
    if (read === null) throw new Error("the server ended the connection without a close frame");
    filled += read;
  }
  return bytes;
}
