import { addressIdentifier, eventHash, type NostrEvent, parseEvent, serialiseEvent } from "../nostr/mod.ts";
import type { LogFields, Logger } from "../observe/mod.ts";

/** The layout this program reads; the Rust ngit-grasp has written no other. */
const VERSION = 1;
/** A larger file is not read: reading takes about five times its size in memory. */
const MAX_FILE_BYTES = 128 << 20;
/** Most characters of one event; the Rust ngit-grasp took none of this size. */
const MAX_EVENT_TEXT = 4 << 20;
/** The last millisecond a Date can name. */
const MAX_TIME_MS = 8_640_000_000_000_000;

/** An object of the file; nothing is known about its values. */
export type Fields = Readonly<Record<string, unknown>>;

/** Which file, and where to tell about it. */
export interface LegacyFile {
  readonly path: string;
  readonly log: Logger;
  /** For tests: a larger file counts as unreadable (128 MiB). */
  readonly maxBytes?: number;
}

/** How the content of a file is taken over. */
export interface LegacyReader<T> {
  /** The content of a file of the known version, saved at `savedAt` (ms); undefined when it is damaged. */
  parse(body: Fields, savedAt: number): T | undefined;
  /** Puts it into the store and says how much of it. Repeating it changes nothing. */
  keep(content: T): Promise<LogFields>;
}

/**
 * Takes over a file that the Rust ngit-grasp left at a clean stop, if there is one, and renames it to
 * `….imported`; one that cannot be read becomes `….invalid`. A crash in between only repeats the
 * import. Never throws: the start does not depend on it.
 */
export async function importLegacyFile<T>(file: LegacyFile, reader: LegacyReader<T>): Promise<void> {
  const { path, log } = file;
  const read = await contentOf(file, reader);
  if (read === undefined) return;
  if (!read.ok) {
    log.warn("file of the Rust ngit-grasp cannot be read; not imported", { path, reason: read.reason });
    return await rename(file, "invalid");
  }
  try {
    const counts = await reader.keep(read.content);
    log.info("file of the Rust ngit-grasp imported", { path, ...counts });
  } catch (error) {
    return log.error("file of the Rust ngit-grasp not imported; the next start tries again", {
      path,
      error: String(error),
    });
  }
  await rename(file, "imported");
}

type Read<T> = { readonly ok: true; readonly content: T } | { readonly ok: false; readonly reason: string };

/** Undefined when there is no such file. */
async function contentOf<T>(
  { path, maxBytes = MAX_FILE_BYTES }: LegacyFile,
  reader: LegacyReader<T>,
): Promise<Read<T> | undefined> {
  const damaged = (reason: string) => ({ ok: false, reason } as const);
  try {
    const { isFile, size } = await Deno.stat(path);
    // Reading a pipe would never end.
    if (!isFile) return damaged("not a regular file");
    if (size > maxBytes) return damaged(`larger than ${maxBytes} bytes`);
    const body = fieldsOf(
      JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path))),
    );
    if (!body) return damaged("not an object");
    if (body.version !== VERSION) return damaged("unknown version");
    const savedAt = systemTime(body.saved_at);
    const content = savedAt === undefined ? undefined : reader.parse(body, savedAt);
    return content === undefined ? damaged("unknown layout") : { ok: true, content };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    // What a parser says of a text quotes it.
    return damaged(error instanceof SyntaxError || error instanceof TypeError ? "not JSON" : String(error));
  }
}

async function rename({ path, log }: LegacyFile, suffix: "imported" | "invalid"): Promise<void> {
  try {
    await Deno.rename(path, `${path}.${suffix}`);
  } catch (error) {
    log.warn("file of the Rust ngit-grasp cannot be renamed; the next start reads it again", {
      path,
      error: String(error),
    });
  }
}

/** `value` as an object of named values. */
export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Fields : undefined;
}

/** A point in time as the file writes it, in milliseconds. */
export function systemTime(value: unknown): number | undefined {
  const { secs_since_epoch: seconds, nanos_since_epoch: nanos } = fieldsOf(value) ?? {};
  if (!isCount(seconds) || !isCount(nanos)) return undefined;
  const time = seconds * 1000 + Math.floor(nanos / 1_000_000);
  return time <= MAX_TIME_MS ? time : undefined;
}

/** A number of whole seconds, in milliseconds. */
export function secondsOf(value: unknown): number | undefined {
  return isCount(value) ? value * 1000 : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}

/** The event in `value` when it is well-formed and its id is right; its signature is not checked here. */
export function eventOf(value: unknown): NostrEvent | undefined {
  const parsed = parseEvent(value);
  if (!parsed.ok || eventHash(parsed.event) !== parsed.event.id) return undefined;
  return serialiseEvent(parsed.event).length <= MAX_EVENT_TEXT ? parsed.event : undefined;
}

/** True when the event is of this kind, author and identifier. */
export function isAbout(event: NostrEvent, kind: number, author: unknown, identifier: unknown): boolean {
  return event.kind === kind && event.pubkey === author && addressIdentifier(event) === identifier;
}

/** `items` in slices of `size`. */
export function* slices<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
