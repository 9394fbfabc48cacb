import type { Row } from "@libsql/client";
import { addressIdentifier, KIND, type NostrEvent, parseEvent } from "../nostr/mod.ts";
import { textKey, valueOfTextKey } from "./text_key.ts";
import type { DirtyMark, StoredAnnouncement, WaitingAnnouncement, WaitingState } from "./types.ts";

/** A row that cannot be used, to be moved out of the way. */
export interface DamagedRow {
  readonly table: "events" | "waiting_announcements" | "waiting_states";
  readonly row: bigint;
  readonly json: string;
  /** Why, as one plain phrase. */
  readonly reason: string;
}

/** The usable values of a result and its damaged rows. */
export interface ReadRows<T> {
  readonly values: readonly T[];
  readonly damaged: readonly DamagedRow[];
}

/** Columns {@link readWaitingAnnouncements} needs. */
export const WAITING_ANNOUNCEMENT_COLUMNS =
  "rowid AS row, json, owner, identifier, event_id, phase, source, first_entered_at, entered_at, deadline_at";

/** Columns {@link readWaitingStates} needs. */
export const WAITING_STATE_COLUMNS =
  "rowid AS row, json, id, author, identifier, source, first_entered_at, entered_at, deadline_at";

/** Columns {@link readEvents} and {@link readStoredAnnouncements} need. */
export const EVENT_COLUMNS = "seq AS row, json, id, hosted";

/** Announcements in purgatory, from rows with {@link WAITING_ANNOUNCEMENT_COLUMNS}. */
export function readWaitingAnnouncements(rows: readonly Row[]): ReadRows<WaitingAnnouncement> {
  return readEach("waiting_announcements", rows, (row, event) => {
    requireThat(event.kind === KIND.announcement, "event is of a foreign kind");
    requireThat(event.id === row.event_id, "event has another id");
    requireThat(event.pubkey === row.owner, "event has another author");
    requireThat(keyOf(event) === row.identifier, "event has another identifier");
    return {
      event,
      owner: String(row.owner),
      identifier: valueOfTextKey(String(row.identifier)),
      phase: oneOf(row.phase, ["active", "soft"]),
      ...times(row),
    };
  });
}

/** States in purgatory, from rows with {@link WAITING_STATE_COLUMNS}. */
export function readWaitingStates(rows: readonly Row[]): ReadRows<WaitingState> {
  return readEach("waiting_states", rows, (row, event) => {
    requireThat(event.kind === KIND.state, "event is of a foreign kind");
    requireThat(event.id === row.id, "event has another id");
    requireThat(event.pubkey === row.author, "event has another author");
    requireThat(keyOf(event) === row.identifier, "event has another identifier");
    return {
      event,
      author: String(row.author),
      identifier: valueOfTextKey(String(row.identifier)),
      ...times(row),
    };
  });
}

/** Served events, from rows with {@link EVENT_COLUMNS}. */
export function readEvents(rows: readonly Row[]): ReadRows<NostrEvent> {
  return readEach("events", rows, sameId);
}

/** Served announcements, from rows with {@link EVENT_COLUMNS}. */
export function readStoredAnnouncements(rows: readonly Row[]): ReadRows<StoredAnnouncement> {
  return readEach("events", rows, (row, event) => ({ event: sameId(row, event), hosted: row.hosted === 1 }));
}

/** Dirty marks, from whole rows. */
export function readDirtyMarks(rows: readonly Row[]): readonly DirtyMark[] {
  return rows.map((row) => ({
    owner: String(row.owner),
    identifier: valueOfTextKey(String(row.identifier)),
    since: Number(row.since),
  }));
}

class Damage extends Error {}

function readEach<T>(
  table: DamagedRow["table"],
  rows: readonly Row[],
  read: (row: Row, event: NostrEvent) => T,
): ReadRows<T> {
  const values: T[] = [];
  const damaged: DamagedRow[] = [];
  for (const row of rows) {
    try {
      values.push(read(row, eventOf(row.json)));
    } catch (cause) {
      if (!(cause instanceof Damage)) throw cause;
      damaged.push({ table, row: BigInt(Number(row.row)), json: String(row.json), reason: cause.message });
    }
  }
  return { values, damaged };
}

function eventOf(json: unknown): NostrEvent {
  let value: unknown;
  try {
    value = JSON.parse(String(json));
  } catch {
    throw new Damage("event is not JSON");
  }
  const parsed = parseEvent(value);
  if (!parsed.ok) throw new Damage("event is malformed");
  return parsed.event;
}

function sameId(row: Row, event: NostrEvent): NostrEvent {
  requireThat(event.id === row.id, "event has another id");
  return event;
}

function keyOf(event: NostrEvent): string | undefined {
  const identifier = addressIdentifier(event);
  return identifier === undefined ? undefined : textKey(identifier);
}

function times(row: Row): Pick<WaitingState, "source" | "firstEnteredAt" | "enteredAt" | "deadlineAt"> {
  return {
    source: oneOf(row.source, ["direct", "sync"]),
    firstEnteredAt: wholeNumber(row.first_entered_at),
    enteredAt: wholeNumber(row.entered_at),
    deadlineAt: wholeNumber(row.deadline_at),
  };
}

function wholeNumber(value: unknown): number {
  requireThat(Number.isSafeInteger(value), "a time is not an integer");
  return value as number;
}

function oneOf<T extends string>(value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((item) => item === value);
  if (found === undefined) throw new Damage("a column has an unknown word");
  return found;
}

function requireThat(condition: boolean, otherwise: string): void {
  if (!condition) throw new Damage(otherwise);
}
