import type { Row } from "@libsql/client";
import { addressIdentifier, isHex64, KIND, type NostrEvent, tagsNamed } from "../nostr/mod.ts";
import { textKey, valueOfTextKey } from "./text_key.ts";
import type {
  DirtyMark,
  Placeholder,
  RepositoryKey,
  RetiredKey,
  RetiredRepository,
  StoredAnnouncement,
  WaitingAnnouncement,
  WaitingPullRequest,
  WaitingState,
} from "./types.ts";
import {
  Damage,
  eventOfText,
  objectOf,
  oneOf,
  parsed,
  placesOf,
  requireThat,
  retiredOf,
} from "./waiting_texts.ts";

/** A row that cannot be used, to be moved out of the way. */
export interface DamagedRow {
  readonly table:
    | "events"
    | "waiting_announcements"
    | "waiting_states"
    | "waiting_pull_requests"
    | "placeholders"
    | "retired_repositories";
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

/** Columns {@link readWaitingPullRequests} needs. */
export const WAITING_PULL_REQUEST_COLUMNS =
  "rowid AS row, json, id, head, targets, source, first_entered_at, entered_at, deadline_at";

/** Columns {@link readPlaceholders} needs. */
export const PLACEHOLDER_COLUMNS =
  "rowid AS row, json, id, scope_owner, scope_identifier, first_entered_at, entered_at, deadline_at";

/** Columns {@link readRetired} needs. */
export const RETIRED_COLUMNS = "rowid AS row, json, owner, identifier, retired_at";

/** Columns {@link readEvents} and {@link readStoredAnnouncements} need. */
export const EVENT_COLUMNS = "seq AS row, json, id, hosted";

/** Announcements in purgatory, from rows with {@link WAITING_ANNOUNCEMENT_COLUMNS}. */
export function readWaitingAnnouncements(rows: readonly Row[]): ReadRows<WaitingAnnouncement> {
  return readEach("waiting_announcements", rows, (row) => {
    const event = eventOfText(row.json);
    requireThat(event.kind === KIND.announcement, "event is of a foreign kind");
    requireThat(event.id === row.event_id, "event has another id");
    requireThat(event.pubkey === row.owner, "event has another author");
    requireThat(keyOf(event) === row.identifier, "event has another identifier");
    return {
      event,
      owner: String(row.owner),
      identifier: valueOfTextKey(String(row.identifier)),
      phase: oneOf(row.phase, ["active", "soft"]),
      source: sourceOf(row),
      ...times(row),
    };
  });
}

/** States in purgatory, from rows with {@link WAITING_STATE_COLUMNS}. */
export function readWaitingStates(rows: readonly Row[]): ReadRows<WaitingState> {
  return readEach("waiting_states", rows, (row) => {
    const event = sameId(row);
    requireThat(event.kind === KIND.state, "event is of a foreign kind");
    requireThat(event.pubkey === row.author, "event has another author");
    requireThat(keyOf(event) === row.identifier, "event has another identifier");
    return {
      event,
      author: String(row.author),
      identifier: valueOfTextKey(String(row.identifier)),
      source: sourceOf(row),
      ...times(row),
    };
  });
}

/** Pull requests and updates in purgatory, from rows with {@link WAITING_PULL_REQUEST_COLUMNS}. */
export function readWaitingPullRequests(rows: readonly Row[]): ReadRows<WaitingPullRequest> {
  return readEach("waiting_pull_requests", rows, (row) => {
    const event = sameId(row);
    requireThat(
      event.kind === KIND.pullRequest || event.kind === KIND.pullRequestUpdate,
      "event is of a foreign kind",
    );
    const head = tagsNamed(event, "c").find(([, value]) =>
      value !== undefined && textKey(value) === row.head
    );
    requireThat(head !== undefined, "event has another commit");
    return {
      event,
      commit: head[1]!,
      targets: placesOf(parsed(row.targets, "repositories are not JSON")),
      source: sourceOf(row),
      ...times(row),
    };
  });
}

/** Placeholders, from rows with {@link PLACEHOLDER_COLUMNS}. */
export function readPlaceholders(rows: readonly Row[]): ReadRows<Placeholder> {
  return readEach("placeholders", rows, (row) => {
    const { commit, repositories } = objectOf(row.json);
    requireThat(isHex64(row.id), "id is malformed");
    requireThat(typeof commit === "string", "commit is not a text");
    const scope = scopeOf(row);
    return {
      id: row.id,
      commit,
      ...(scope && { scope }),
      repositories: placesOf(repositories),
      ...times(row),
    };
  });
}

/** What names held rows, from rows with those columns. */
export function readRetiredKeys(rows: readonly Row[]): readonly RetiredKey[] {
  return rows.map((row) => ({
    owner: String(row.owner),
    identifier: identifierOf(row.identifier),
    retiredAt: wholeNumber(row.retired_at),
  }));
}

/** Retired repositories, from rows with {@link RETIRED_COLUMNS}. */
export function readRetired(rows: readonly Row[]): ReadRows<RetiredRepository> {
  return readEach("retired_repositories", rows, (row) => ({
    owner: String(row.owner),
    identifier: identifierOf(row.identifier),
    ...retiredOf(row.json),
    retiredAt: wholeNumber(row.retired_at),
  }));
}

/** Served events, from rows with {@link EVENT_COLUMNS}. */
export function readEvents(rows: readonly Row[]): ReadRows<NostrEvent> {
  return readEach("events", rows, sameId);
}

/** Served announcements, from rows with {@link EVENT_COLUMNS}. */
export function readStoredAnnouncements(rows: readonly Row[]): ReadRows<StoredAnnouncement> {
  return readEach("events", rows, (row) => ({ event: sameId(row), hosted: row.hosted === 1 }));
}

/** Dirty marks, from whole rows. */
export function readDirtyMarks(rows: readonly Row[]): readonly DirtyMark[] {
  return rows.map((row) => ({
    owner: String(row.owner),
    identifier: valueOfTextKey(String(row.identifier)),
    since: Number(row.since),
  }));
}

function readEach<T>(
  table: DamagedRow["table"],
  rows: readonly Row[],
  read: (row: Row) => T,
): ReadRows<T> {
  const values: T[] = [];
  const damaged: DamagedRow[] = [];
  for (const row of rows) {
    try {
      values.push(read(row));
    } catch (cause) {
      if (!(cause instanceof Damage)) throw cause;
      damaged.push({ table, row: BigInt(Number(row.row)), json: String(row.json), reason: cause.message });
    }
  }
  return { values, damaged };
}

function sameId(row: Row): NostrEvent {
  const event = eventOfText(row.json);
  requireThat(event.id === row.id, "event has another id");
  return event;
}

function keyOf(event: NostrEvent): string | undefined {
  const identifier = addressIdentifier(event);
  return identifier === undefined ? undefined : textKey(identifier);
}

function scopeOf(row: Row): RepositoryKey | undefined {
  if (row.scope_owner === "") return undefined;
  requireThat(isHex64(row.scope_owner), "scope is malformed");
  return { owner: row.scope_owner, identifier: identifierOf(row.scope_identifier) };
}

/** The identifier of a row that nothing else vouches for. */
function identifierOf(value: unknown): string {
  try {
    return valueOfTextKey(String(value));
  } catch {
    throw new Damage("identifier is malformed");
  }
}

function sourceOf(row: Row): WaitingState["source"] {
  return oneOf(row.source, ["direct", "sync"]);
}

function times(row: Row): Pick<WaitingState, "firstEnteredAt" | "enteredAt" | "deadlineAt"> {
  return {
    firstEnteredAt: wholeNumber(row.first_entered_at),
    enteredAt: wholeNumber(row.entered_at),
    deadlineAt: wholeNumber(row.deadline_at),
  };
}

function wholeNumber(value: unknown): number {
  requireThat(Number.isSafeInteger(value), "a time is not an integer");
  return value as number;
}
