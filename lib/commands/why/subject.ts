import { decodeNpub, type NostrEvent, parseEvent, parseEventId, quoted } from "../../nostr/mod.ts";
import type { IdTraces, Placeholder, RepositoryKey, Store } from "../../store/mod.ts";

/** Where an event was found. */
export type Origin = "given" | "served" | "waiting" | "refused" | "retired";

/** What the word of the command line names. */
export type Subject =
  /** `event` is undefined when `value` is not even shaped like one. */
  | {
    readonly type: "event";
    readonly value: unknown;
    readonly event: NostrEvent | undefined;
    readonly origin: Origin;
  }
  /** An id of which at most a trace is left. */
  | {
    readonly type: "trace";
    readonly id: string;
    readonly traces: IdTraces;
    /** Commits pushed for it, when the event itself never came. */
    readonly placeholder: Placeholder | undefined;
  }
  | { readonly type: "repository"; readonly repository: RepositoryKey };

/** Longest event text that is read, in bytes. */
const MAX_BYTES = 16 << 20;

/** Finds what `word` names: `-` (standard input), an event id (hex, note1, nevent1), `<npub>/<identifier>`, or a file. Rejects with one sentence. */
export async function subjectOf(word: string, store: Store): Promise<Subject> {
  const id = parseEventId(word);
  if (id !== undefined) return await known(id, store);
  const [, npub = "", identifier = ""] = /^(npub1[^/]*)\/(.+)$/s.exec(word) ?? [];
  if (npub !== "") {
    const owner = decodeNpub(npub);
    if (owner === undefined) throw new Error(`${quoted(npub)} is not a valid npub`);
    return { type: "repository", repository: { owner, identifier } };
  }
  const value = valueOf(await textOf(word));
  const parsed = parseEvent(value);
  return {
    type: "event",
    value,
    event: parsed.ok ? parsed.event : undefined,
    origin: parsed.ok ? await originOf(parsed.event.id, store) : "given",
  };
}

async function known(id: string, store: Store): Promise<Subject> {
  const [served] = await store.get([id]);
  const event = served ?? await store.waitingEvent(id);
  if (event) return { type: "event", value: event, event, origin: served ? "served" : "waiting" };
  const traces = await store.traces(id);
  const { refused, retired } = traces;
  if (refused?.whole) {
    return { type: "event", value: refused.whole.event, event: refused.whole.event, origin: "refused" };
  }
  const held = retired?.events.find((candidate) => candidate.id === id);
  return held
    ? { type: "event", value: held, event: held, origin: "retired" }
    : { type: "trace", id, traces, placeholder: await store.placeholder(id) };
}

async function originOf(id: string, store: Store): Promise<Origin> {
  if (await store.has(id)) return "served";
  return await store.waitingKind(id) ? "waiting" : "given";
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("this is not the JSON of one event");
  }
}

async function textOf(word: string): Promise<string> {
  const file = word === "-" ? undefined : await Deno.open(word).catch((error) => {
    throw new Error(`${quoted(word)} is no event id, no <npub>/<identifier> and no file: ${error.message}`);
  });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (file ?? Deno.stdin).readable) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error("the event is larger than 16 MiB");
    chunks.push(chunk);
  }
  return await new Blob(chunks as BlobPart[]).text();
}
