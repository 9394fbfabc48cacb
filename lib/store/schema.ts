/** The database schema this program writes; kept in `PRAGMA user_version`. */
export const SCHEMA_VERSION = 4;

/**
 * Events and what queries need beside them. `json` is the text that is served; `d` is the text key
 * of the `d` value of replaceable and addressable kinds (null for others), `id_order` the start of
 * the id as a number. A `seq` is never used twice, so that one read in an earlier turn of the event
 * loop cannot mean another event by now. Index columns end in `expires_at` so that limits and counts read no rows.
 */
const EVENTS = [
  `CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    pubkey TEXT NOT NULL,
    kind INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    id_order INTEGER NOT NULL,
    expires_at INTEGER,
    hosted INTEGER NOT NULL,
    arrived_at INTEGER NOT NULL,
    d TEXT,
    json TEXT NOT NULL
  )`,
  `CREATE INDEX events_by_time ON events (created_at DESC, id_order, expires_at)`,
  `CREATE INDEX events_by_kind ON events (kind, created_at DESC, id_order, expires_at)`,
  `CREATE INDEX events_by_author ON events (pubkey, created_at DESC, id_order, expires_at)`,
  `CREATE INDEX events_by_author_kind ON events (pubkey, kind, created_at DESC, id_order, expires_at)`,
  `CREATE UNIQUE INDEX events_by_coordinate ON events (kind, pubkey, d) WHERE d IS NOT NULL`,
  `CREATE INDEX events_by_identifier ON events (d, kind) WHERE d IS NOT NULL`,
  `CREATE INDEX events_by_expiry ON events (expires_at) WHERE expires_at IS NOT NULL`,
  `CREATE TABLE tags (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    id_order INTEGER NOT NULL,
    seq INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
    kind INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (name, value, created_at DESC, id_order, seq)
  ) WITHOUT ROWID`,
  `CREATE INDEX tags_by_event ON tags (seq, name)`,
];

/**
 * Purgatory (spec chapter "Persistence"); times in milliseconds, identifiers as text keys. The JSON
 * columns hold a row's lists; the tables `…_targets` and `…_repositories` only find rows by them.
 */
const PURGATORY = [
  `CREATE TABLE waiting_announcements (
    owner TEXT NOT NULL,
    identifier TEXT NOT NULL,
    event_id TEXT NOT NULL,
    phase TEXT NOT NULL,
    source TEXT NOT NULL,
    first_entered_at INTEGER NOT NULL,
    entered_at INTEGER NOT NULL,
    deadline_at INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (owner, identifier)
  )`,
  `CREATE INDEX waiting_announcements_by_identifier ON waiting_announcements (identifier)`,
  `CREATE INDEX waiting_announcements_by_deadline ON waiting_announcements (deadline_at)`,
  `CREATE INDEX waiting_announcements_by_event ON waiting_announcements (event_id)`,
  `CREATE INDEX waiting_announcements_by_phase ON waiting_announcements (phase, owner)`,
  `CREATE TABLE waiting_states (
    id TEXT PRIMARY KEY NOT NULL,
    author TEXT NOT NULL,
    identifier TEXT NOT NULL,
    source TEXT NOT NULL,
    first_entered_at INTEGER NOT NULL,
    entered_at INTEGER NOT NULL,
    deadline_at INTEGER NOT NULL,
    json TEXT NOT NULL
  )`,
  `CREATE INDEX waiting_states_by_identifier ON waiting_states (identifier)`,
  `CREATE INDEX waiting_states_by_deadline ON waiting_states (deadline_at)`,
  `CREATE TABLE waiting_pull_requests (
    id TEXT PRIMARY KEY NOT NULL,
    head TEXT NOT NULL,
    targets TEXT NOT NULL,
    source TEXT NOT NULL,
    first_entered_at INTEGER NOT NULL,
    entered_at INTEGER NOT NULL,
    deadline_at INTEGER NOT NULL,
    json TEXT NOT NULL
  )`,
  `CREATE INDEX waiting_pull_requests_by_deadline ON waiting_pull_requests (deadline_at)`,
  ...finder("pull_request_targets", "waiting_pull_requests"),
  `CREATE TABLE placeholders (
    id TEXT PRIMARY KEY NOT NULL,
    first_entered_at INTEGER NOT NULL,
    entered_at INTEGER NOT NULL,
    deadline_at INTEGER NOT NULL,
    json TEXT NOT NULL
  )`,
  `CREATE INDEX placeholders_by_deadline ON placeholders (deadline_at)`,
  ...finder("placeholder_repositories", "placeholders"),
  `CREATE TABLE expired_ids (id TEXT PRIMARY KEY NOT NULL, at INTEGER NOT NULL)`,
  `CREATE INDEX expired_ids_by_time ON expired_ids (at)`,
  `CREATE TABLE dirty_repositories (
    owner TEXT NOT NULL,
    identifier TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (owner, identifier)
  )`,
];

/** What must not come back (`until` in seconds), and what is held before it is given up (ms). */
const GONE = [
  `CREATE TABLE tombstoned_ids (
    id TEXT NOT NULL,
    pubkey TEXT NOT NULL,
    PRIMARY KEY (id, pubkey)
  ) WITHOUT ROWID`,
  `CREATE TABLE tombstoned_coordinates (
    kind INTEGER NOT NULL,
    pubkey TEXT NOT NULL,
    identifier TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (kind, pubkey, identifier)
  ) WITHOUT ROWID`,
  `CREATE TABLE retired_repositories (
    owner TEXT NOT NULL,
    identifier TEXT NOT NULL,
    retired_at INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (owner, identifier, retired_at)
  )`,
  `CREATE INDEX retired_repositories_by_time ON retired_repositories (retired_at)`,
];

/** A table that finds the rows of `table` by the repositories they name. */
function finder(name: string, table: string): readonly string[] {
  return [
    `CREATE TABLE ${name} (
      identifier TEXT NOT NULL,
      owner TEXT NOT NULL,
      id TEXT NOT NULL REFERENCES ${table} (id) ON DELETE CASCADE,
      PRIMARY KEY (identifier, owner, id)
    ) WITHOUT ROWID`,
    `CREATE INDEX ${name}_by_id ON ${name} (id)`,
  ];
}

/**
 * Damaged rows, kept for the operator; and the number of the last group commit, by which the
 * writer checks that a transaction really happened.
 */
const UPKEEP = [
  `CREATE TABLE quarantine (
    seq INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    json TEXT NOT NULL
  )`,
  `CREATE TABLE commit_mark (only INTEGER PRIMARY KEY CHECK (only = 1), number INTEGER NOT NULL)`,
  `INSERT INTO commit_mark VALUES (1, 0)`,
];

/**
 * What following other relays must not fetch again; times in milliseconds, identifiers as text keys
 * ("" for type `related`). `json` is there while a refused event is kept whole, until `hot_until`.
 * `refused_keys` finds refused events by what would make them acceptable. `memory_totals` counts rows,
 * whole events and their bytes, so that bounds and metrics never scan.
 */
const REFUSED = [
  `CREATE TABLE refused_events (
    id TEXT PRIMARY KEY NOT NULL,
    type TEXT NOT NULL,
    kind INTEGER NOT NULL,
    author TEXT NOT NULL,
    identifier TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    until INTEGER NOT NULL,
    hot_until INTEGER NOT NULL,
    json TEXT
  )`,
  `CREATE INDEX refused_by_identifier ON refused_events (identifier, author) WHERE type <> 'related'`,
  `CREATE INDEX refused_by_time ON refused_events (at) WHERE type <> 'related'`,
  `CREATE INDEX refused_related_by_time ON refused_events (at) WHERE type = 'related'`,
  `CREATE INDEX refused_by_end ON refused_events (until)`,
  `CREATE INDEX refused_whole ON refused_events (hot_until) WHERE json IS NOT NULL`,
  `CREATE TABLE refused_keys (
    key TEXT NOT NULL,
    id TEXT NOT NULL REFERENCES refused_events (id) ON DELETE CASCADE,
    PRIMARY KEY (key, id)
  ) WITHOUT ROWID`,
  `CREATE INDEX refused_keys_by_event ON refused_keys (id)`,
  `CREATE TABLE gone_ids (id TEXT PRIMARY KEY NOT NULL, until INTEGER NOT NULL)`,
  `CREATE INDEX gone_ids_by_end ON gone_ids (until)`,
  `CREATE TABLE memory_totals (
    type TEXT PRIMARY KEY NOT NULL,
    count INTEGER NOT NULL,
    whole INTEGER NOT NULL,
    bytes INTEGER NOT NULL
  )`,
  `INSERT INTO memory_totals VALUES
    ('announcement', 0, 0, 0), ('state', 0, 0, 0), ('related', 0, 0, 0), ('gone', 0, 0, 0)`,
  counting("refused_events", "INSERT", [added("NEW")]),
  counting("refused_events", "DELETE", [removed("OLD")]),
  counting("refused_events", "UPDATE", [removed("OLD"), added("NEW")]),
  `CREATE TRIGGER gone_ids_insert AFTER INSERT ON gone_ids BEGIN
    UPDATE memory_totals SET count = count + 1 WHERE type = 'gone'; END`,
  `CREATE TRIGGER gone_ids_delete AFTER DELETE ON gone_ids BEGIN
    UPDATE memory_totals SET count = count - 1 WHERE type = 'gone'; END`,
];

/** How long ids of before this version, which knew no end, are remembered from the time they expired. */
const EXPIRED_MEMORY_MS = 7 * 86_400_000;

/** Expired ids with what a negotiation needs to know of them (kind -1: unknown), and their own end. */
const EXPIRED = [
  `ALTER TABLE expired_ids ADD COLUMN until INTEGER NOT NULL DEFAULT 0`,
  `ALTER TABLE expired_ids ADD COLUMN kind INTEGER NOT NULL DEFAULT -1`,
  `ALTER TABLE expired_ids ADD COLUMN author TEXT NOT NULL DEFAULT ''`,
  `ALTER TABLE expired_ids ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0`,
  `ALTER TABLE expired_ids ADD COLUMN identifier TEXT NOT NULL DEFAULT ''`,
  `UPDATE expired_ids SET until = at + ${EXPIRED_MEMORY_MS}`,
  `DROP INDEX expired_ids_by_time`,
  `CREATE INDEX expired_ids_by_end ON expired_ids (until)`,
];

/** Placeholders of GRASP-06 belong to one contributor's repository; "" for those of GRASP-01. */
const SCOPES = [
  `ALTER TABLE placeholders ADD COLUMN scope_owner TEXT NOT NULL DEFAULT ''`,
  `ALTER TABLE placeholders ADD COLUMN scope_identifier TEXT NOT NULL DEFAULT ''`,
  `CREATE INDEX placeholders_by_scope ON placeholders (scope_identifier, scope_owner)
    WHERE scope_owner <> ''`,
];

/** The version whose tables tell about maintenance. */
export const MAINTENANCE_VERSION = 4;

/** How jobs last ended, and what they last found in each repository; times in milliseconds. */
const MAINTENANCE = [
  `CREATE TABLE job_runs (
    job TEXT PRIMARY KEY NOT NULL,
    at INTEGER NOT NULL,
    succeeded_at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    text TEXT NOT NULL
  )`,
  `CREATE TABLE repository_notes (
    job TEXT NOT NULL,
    space TEXT NOT NULL,
    owner TEXT NOT NULL,
    identifier TEXT NOT NULL,
    at INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (job, space, owner, identifier)
  ) WITHOUT ROWID`,
];

function counting(table: string, change: string, updates: readonly string[]): string {
  return `CREATE TRIGGER ${table}_${change.toLowerCase()} AFTER ${change} ON ${table} BEGIN
    ${updates.join(" ")} END`;
}

function added(row: string): string {
  return `UPDATE memory_totals SET count = count + 1, whole = whole + (${row}.json IS NOT NULL),
    bytes = bytes + coalesce(octet_length(${row}.json), 0) WHERE type = ${row}.type;`;
}

function removed(row: string): string {
  return `UPDATE memory_totals SET count = count - 1, whole = whole - (${row}.json IS NOT NULL),
    bytes = bytes - coalesce(octet_length(${row}.json), 0) WHERE type = ${row}.type;`;
}

/** Statements that lead from version `index` to version `index + 1`. */
const MIGRATIONS: readonly (readonly string[])[] = [
  [...EVENTS, ...PURGATORY, ...GONE, ...UPKEEP],
  [...REFUSED, ...EXPIRED],
  SCOPES,
  MAINTENANCE,
];

/** One migration: the statements of a transaction that ends at schema version `to`. */
export interface Migration {
  readonly to: number;
  readonly statements: readonly string[];
}

/**
 * The migrations a database at version `current` needs, in order. Throws an Error that names both
 * versions when the database is from the future.
 */
export function migrationsFrom(current: number): readonly Migration[] {
  if (current > SCHEMA_VERSION) {
    throw new NewerSchemaError(
      `database schema ${current} is newer than this program knows (${SCHEMA_VERSION})`,
    );
  }
  return MIGRATIONS.slice(current).map((statements, index) => {
    const to = current + index + 1;
    return { to, statements: [...statements, `PRAGMA user_version = ${to}`] };
  });
}

/** The database was written by a later release; opening it with this one would lose data. */
export class NewerSchemaError extends Error {}
