import { serialiseEvent } from "../nostr/mod.ts";
import type { Statement } from "./statement.ts";
import { type Cell, LastWord } from "./last_word.ts";
import { listStatements } from "./list_statements.ts";
import { textKey } from "./text_key.ts";
import type { Changes, RepositoryKey, Tombstone } from "./types.ts";
import { placesText, retiredText } from "./waiting_texts.ts";

const TIMES = ["first_entered_at", "entered_at", "deadline_at"];

/**
 * The statements for everything but served events that `units` change, in their order. A key that
 * several units touch ends as the last of them leaves it, so each table needs one delete and one upsert.
 */
export function waitingStatements(units: readonly Changes[]): Statement[] {
  const tables = new Tables();
  for (const unit of units) {
    tables.remove(unit);
    tables.put(unit);
  }
  return [...tables.statements(), ...tombstones(units.flatMap((unit) => unit.putTombstones ?? []))];
}

/** The tables in which the last word about a key stands. */
class Tables {
  readonly #announcements = new LastWord({
    table: "waiting_announcements",
    key: ["owner", "identifier"],
    columns: ["event_id", "phase", "source", ...TIMES, "json"],
  });
  readonly #states = new LastWord({
    table: "waiting_states",
    key: ["id"],
    columns: ["author", "identifier", "source", ...TIMES, "json"],
  });
  readonly #pullRequests = new LastWord({
    table: "waiting_pull_requests",
    key: ["id"],
    columns: ["head", "targets", "source", ...TIMES, "json"],
    finder: "pull_request_targets",
  });
  readonly #placeholders = new LastWord({
    table: "placeholders",
    key: ["id"],
    columns: [...TIMES, "scope_owner", "scope_identifier", "json"],
    finder: "placeholder_repositories",
  });
  readonly #retired = new LastWord({
    table: "retired_repositories",
    key: ["owner", "identifier", "retired_at"],
    columns: ["json"],
  });
  readonly #expired = new LastWord({
    table: "expired_ids",
    key: ["id"],
    columns: ["at", "until", "kind", "author", "created_at", "identifier"],
  });
  readonly #dirty = new LastWord({
    table: "dirty_repositories",
    key: ["owner", "identifier"],
    columns: ["since"],
  });

  remove(unit: Changes): void {
    for (const repository of unit.removeAnnouncements ?? []) this.#announcements.remove(keyOf(repository));
    for (const id of unit.removeStates ?? []) this.#states.remove([id]);
    for (const id of unit.removePullRequests ?? []) this.#pullRequests.remove([id]);
    for (const id of unit.removePlaceholders ?? []) this.#placeholders.remove([id]);
    for (const retired of unit.removeRetired ?? []) {
      this.#retired.remove([...keyOf(retired), retired.retiredAt]);
    }
    for (const id of unit.removeExpired ?? []) this.#expired.remove([id]);
    for (const repository of unit.removeDirty ?? []) this.#dirty.remove(keyOf(repository));
  }

  put(unit: Changes): void {
    for (const waiting of unit.putAnnouncements ?? []) {
      const { event, phase, source } = waiting;
      const cells = [event.id, phase, source, ...times(waiting), serialiseEvent(event)];
      this.#announcements.put(keyOf(waiting), cells);
    }
    for (const waiting of unit.putStates ?? []) {
      const { event, author, identifier, source } = waiting;
      const cells = [author, textKey(identifier), source, ...times(waiting), serialiseEvent(event)];
      this.#states.put([event.id], cells);
    }
    for (const waiting of unit.putPullRequests ?? []) {
      const { event, commit, targets, source } = waiting;
      const cells = [textKey(commit), placesText(targets), source, ...times(waiting), serialiseEvent(event)];
      this.#pullRequests.put([event.id], cells, targets);
    }
    for (const waiting of unit.putPlaceholders ?? []) {
      const { id, commit, repositories, scope } = waiting;
      const json = `{"commit":${JSON.stringify(commit)},"repositories":${placesText(repositories)}}`;
      const cells = [...times(waiting), ...(scope ? keyOf(scope) : ["", ""]), json];
      this.#placeholders.put([id], cells, repositories);
    }
    for (const retired of unit.putRetired ?? []) {
      this.#retired.put([...keyOf(retired), retired.retiredAt], [retiredText(retired)]);
    }
    for (const { id, at, until, about } of unit.putExpired ?? []) {
      const { kind = -1, author = "", createdAt = 0, identifier = "" } = about ?? {};
      this.#expired.put([id], [at, until, kind, author, createdAt, textKey(identifier)]);
    }
    for (const mark of unit.putDirty ?? []) this.#dirty.put(keyOf(mark), [mark.since]);
  }

  statements(): Statement[] {
    const all = [
      this.#announcements,
      this.#states,
      this.#pullRequests,
      this.#placeholders,
      this.#retired,
      this.#expired,
      this.#dirty,
    ];
    return all.flatMap((table) => table.statements());
  }
}

const TOMBSTONE_IDS = `INSERT OR IGNORE INTO tombstoned_ids (id, pubkey)
  SELECT value ->> 0, value ->> 1 FROM json_each(?)`;

const TOMBSTONE_COORDINATES = `INSERT INTO tombstoned_coordinates (kind, pubkey, identifier, until)
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) WHERE true
  ON CONFLICT (kind, pubkey, identifier) DO UPDATE SET until = max(until, excluded.until)`;

function tombstones(put: readonly Tombstone[]): Statement[] {
  const ids: Cell[][] = [];
  const coordinates: Cell[][] = [];
  for (const stone of put) {
    if (stone.type === "id") ids.push([stone.id, stone.pubkey]);
    else coordinates.push([stone.kind, stone.pubkey, textKey(stone.identifier), stone.until]);
  }
  return [...listStatements(TOMBSTONE_IDS, ids), ...listStatements(TOMBSTONE_COORDINATES, coordinates)];
}

function keyOf({ owner, identifier }: RepositoryKey): [string, string] {
  return [owner, textKey(identifier)];
}

function times(
  waiting: { readonly firstEnteredAt: number; readonly enteredAt: number; readonly deadlineAt: number },
): [number, number, number] {
  return [waiting.firstEnteredAt, waiting.enteredAt, waiting.deadlineAt];
}
