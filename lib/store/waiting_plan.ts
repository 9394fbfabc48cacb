import { serialiseEvent } from "../nostr/mod.ts";
import type { Statement } from "./database.ts";
import { textKey } from "./text_key.ts";
import type { Changes, WaitingAnnouncement, WaitingState } from "./types.ts";

/**
 * The statements for everything but events that `units` change, in their order. A key that several
 * units touch ends as the last of them leaves it, so each table needs one delete and one upsert.
 */
export function waitingStatements(units: readonly Changes[]): Statement[] {
  const announcements = new LastWord("waiting_announcements", ["owner", "identifier"], [
    "event_id",
    "phase",
    "source",
    "first_entered_at",
    "entered_at",
    "deadline_at",
    "json",
  ]);
  const states = new LastWord("waiting_states", ["id"], [
    "author",
    "identifier",
    "source",
    "first_entered_at",
    "entered_at",
    "deadline_at",
    "json",
  ]);
  const expired = new LastWord("expired_ids", ["id"], ["at"]);
  const dirty = new LastWord("dirty_repositories", ["owner", "identifier"], ["since"]);
  for (const unit of units) {
    for (const { owner, identifier } of unit.removeAnnouncements ?? []) {
      announcements.remove([owner, textKey(identifier)]);
    }
    for (const id of unit.removeStates ?? []) states.remove([id]);
    for (const id of unit.removeExpired ?? []) expired.remove([id]);
    for (const { owner, identifier } of unit.removeDirty ?? []) dirty.remove([owner, textKey(identifier)]);
    for (const waiting of unit.putAnnouncements ?? []) putAnnouncement(announcements, waiting);
    for (const waiting of unit.putStates ?? []) putState(states, waiting);
    for (const { id, at } of unit.putExpired ?? []) expired.put([id], [at]);
    for (const mark of unit.putDirty ?? []) dirty.put([mark.owner, textKey(mark.identifier)], [mark.since]);
  }
  return [announcements, states, expired, dirty].flatMap((table) => table.statements());
}

function putAnnouncement(table: LastWord, waiting: WaitingAnnouncement): void {
  table.put([waiting.owner, textKey(waiting.identifier)], [
    waiting.event.id,
    waiting.phase,
    waiting.source,
    waiting.firstEnteredAt,
    waiting.enteredAt,
    waiting.deadlineAt,
    serialiseEvent(waiting.event),
  ]);
}

function putState(table: LastWord, waiting: WaitingState): void {
  table.put([waiting.event.id], [
    waiting.author,
    textKey(waiting.identifier),
    waiting.source,
    waiting.firstEnteredAt,
    waiting.enteredAt,
    waiting.deadlineAt,
    serialiseEvent(waiting.event),
  ]);
}

type Cell = string | number;

/** The last change to each key of one table. */
class LastWord {
  readonly #table: string;
  readonly #keyColumns: readonly string[];
  readonly #columns: readonly string[];
  /** By key; the whole row, or the key alone when it is to go. */
  readonly #changes = new Map<string, { readonly row: readonly Cell[]; readonly stays: boolean }>();

  constructor(table: string, keyColumns: readonly string[], columns: readonly string[]) {
    this.#table = table;
    this.#keyColumns = keyColumns;
    this.#columns = columns;
  }

  remove(key: readonly string[]): void {
    this.#changes.set(JSON.stringify(key), { row: key, stays: false });
  }

  put(key: readonly string[], values: readonly Cell[]): void {
    this.#changes.set(JSON.stringify(key), { row: [...key, ...values], stays: true });
  }

  statements(): Statement[] {
    const changes = [...this.#changes.values()];
    const removed = changes.filter(({ stays }) => !stays).map(({ row }) => row);
    const put = changes.filter(({ stays }) => stays).map(({ row }) => row);
    const statements: Statement[] = [];
    if (removed.length > 0) statements.push({ sql: this.#deleteSql(), args: [JSON.stringify(removed)] });
    if (put.length > 0) statements.push({ sql: this.#upsertSql(), args: [JSON.stringify(put)] });
    return statements;
  }

  #deleteSql(): string {
    const key = this.#keyColumns.join(", ");
    return `DELETE FROM ${this.#table} WHERE (${key}) IN (SELECT ${
      cells(this.#keyColumns)
    } FROM json_each(?))`;
  }

  #upsertSql(): string {
    const all = [...this.#keyColumns, ...this.#columns];
    const updates = this.#columns.map((column) => `${column} = excluded.${column}`).join(", ");
    // WHERE true tells SQLite's parser that ON belongs to the conflict clause, not to a join.
    return `INSERT INTO ${this.#table} (${all.join(", ")}) SELECT ${cells(all)} FROM json_each(?) WHERE true
      ON CONFLICT (${this.#keyColumns.join(", ")}) DO UPDATE SET ${updates}`;
  }
}

function cells(columns: readonly string[]): string {
  return columns.map((_, index) => `value ->> ${index}`).join(", ");
}
