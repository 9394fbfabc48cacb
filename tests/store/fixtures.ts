import { join } from "node:path";
import type { Filter, NostrEvent } from "../../lib/nostr/mod.ts";
import { eventHash } from "../../lib/nostr/mod.ts";
import type { LogFields, Logger } from "../../lib/observe/log.ts";
import { openStore, type RemoteDatabase, type Store, type StoreOptions } from "../../lib/store/mod.ts";
import type { Clock } from "../../lib/world/mod.ts";

/** The instant all store tests start at, in seconds and milliseconds. */
export const NOW = 1_700_000_000;
export const NOW_MS = NOW * 1000;

/** A key by number. */
export function key(n: number): string {
  return n.toString(16).padStart(64, "0");
}

/** An unsigned event (the store does not verify); `id` is the true hash unless given. */
export function event(fields: Partial<NostrEvent> = {}): NostrEvent {
  const body = { pubkey: key(1), created_at: NOW, kind: 1, tags: [], content: "", ...fields };
  return { ...body, id: fields.id ?? eventHash(body), sig: "0".repeat(128) };
}

/** A filter from its wire fields. */
export function filter(
  fields: Omit<Filter, "tags"> & { tags?: Record<string, readonly string[]> } = {},
): Filter {
  const { tags, ...rest } = fields;
  return { ...rest, tags: new Map(Object.entries(tags ?? {})) };
}

/** A clock that moves by hand. */
export class HandClock implements Clock {
  time = NOW_MS;
  now(): number {
    return this.time;
  }
  monotonic(): number {
    return this.time;
  }
  sleep(): Promise<void> {
    return new Promise(() => {});
  }
}

/** A log that keeps its lines. */
export class LineLog implements Logger {
  readonly lines: string[] = [];
  #keep(level: string, message: string, fields?: LogFields): void {
    this.lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
  }
  error(message: string, fields?: LogFields): void {
    this.#keep("error", message, fields);
  }
  warn(message: string, fields?: LogFields): void {
    this.#keep("warn", message, fields);
  }
  info(message: string, fields?: LogFields): void {
    this.#keep("info", message, fields);
  }
  debug(message: string, fields?: LogFields): void {
    this.#keep("debug", message, fields);
  }
  trace(message: string, fields?: LogFields): void {
    this.#keep("trace", message, fields);
  }
  target(): Logger {
    return this;
  }
}

/** What a test with a store gets. */
export interface Bench {
  readonly store: Store;
  readonly clock: HandClock;
  readonly log: LineLog;
}

const LIMITS = { defaultFilterLimit: 500, maxFilterLimit: 5_000 };

/** Opens a store for a test. */
export async function open(
  location: string,
  more: Partial<StoreOptions> = {},
): Promise<Bench> {
  const clock = new HandClock();
  const log = new LineLog();
  const store = await openStore({ location, backend: "libsql", clock, limits: LIMITS, log, ...more });
  return { store, clock, log };
}

/** How a server reaches a database server, as one that has never run. */
export function remote(more: Partial<RemoteDatabase> = {}): RemoteDatabase {
  return { instance: crypto.randomUUID(), session: crypto.randomUUID(), fetch, ...more };
}

/** Runs `work` with a memory store. */
export async function withMemory(
  work: (bench: Bench) => Promise<void>,
  more: Partial<StoreOptions> = {},
): Promise<void> {
  const bench = await open("", { backend: "memory", ...more });
  try {
    await work(bench);
  } finally {
    await bench.store.close();
  }
}

/** Runs `work` with a fresh directory and the path of a database in it. */
export async function withDirectory(
  work: (database: string, directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "store-" });
  try {
    await work(join(directory, "events.db"), directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Stores events in one unit. */
export async function put(store: Store, ...events: NostrEvent[]): Promise<readonly string[]> {
  return await store.commit({ insertEvents: events.map((event) => ({ event })) });
}

/** Ids of a query, in order. */
export async function ids(store: Store, ...filters: Filter[]): Promise<string[]> {
  return (await store.query(filters)).events.map((text) => (JSON.parse(text) as NostrEvent).id);
}

/** True when the store remembers this id as refused. */
export async function isRefused(store: Store, id: string): Promise<boolean> {
  return (await store.traces(id)).refused !== undefined;
}
