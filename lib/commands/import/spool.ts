import { createHash } from "node:crypto";
import { DatabaseSync, type StatementSync } from "node:sqlite";

/** Rows written in one transaction. */
const ROWS_PER_TRANSACTION = 1_000;

/** In which order kinds are imported: announcements, states, deletion requests, everything else. */
export const RANKS = [0, 1, 2, 3] as const;

/** A line that could not be read as an event. */
export interface BadLine {
  readonly line: number;
  readonly problem: string;
}

/** One event of the spool. */
export interface SpooledEvent {
  readonly text: string;
  readonly createdAt: number;
  readonly number: number;
}

/**
 * Sorts events on disk: memory stays flat however many there are. It remembers what was settled, so that
 * an import that was interrupted goes on with the rest.
 */
export class Spool {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #next: StatementSync;
  readonly #settle: StatementSync;
  #pending = 0;

  /** Opens or creates the file. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    this.#database.exec(`
      CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS events (
        number INTEGER PRIMARY KEY, copy BLOB NOT NULL UNIQUE, rank INTEGER NOT NULL,
        created_at INTEGER NOT NULL, text TEXT NOT NULL, settled INTEGER NOT NULL DEFAULT 0);
      CREATE INDEX IF NOT EXISTS open_in_order ON events (rank, created_at, number) WHERE settled = 0;`);
    this.#insert = this.#database.prepare(
      "INSERT OR IGNORE INTO events (copy, rank, created_at, text) VALUES (?, ?, ?, ?)",
    );
    this.#next = this.#database.prepare(
      `SELECT text, created_at AS createdAt, number FROM events
       WHERE settled = 0 AND rank = ? AND (created_at, number) > (?, ?) ORDER BY created_at, number LIMIT ?`,
    );
    this.#settle = this.#database.prepare("UPDATE events SET settled = 1 WHERE number = ?");
  }

  /** The source it was filled from and completely so; undefined before {@link filled}. */
  get source(): string | undefined {
    return this.#fact("source");
  }

  /** How many events it holds. */
  get count(): number {
    return Number(this.#database.prepare("SELECT count(*) AS n FROM events").get()?.n ?? 0);
  }

  /** Empties it. */
  clear(): void {
    this.#database.exec("DELETE FROM events; DELETE FROM facts;");
  }

  /** Takes one JSON text; says what is wrong with it, or that the same one is here already. */
  add(text: string): "added" | "repeated" | { readonly problem: string } {
    const key = keyOf(text);
    if ("problem" in key) return key;
    if (this.#pending === 0) this.#database.exec("BEGIN");
    const { changes } = this.#insert.run(key.copy, key.rank, key.createdAt, key.text);
    if (++this.#pending === ROWS_PER_TRANSACTION) this.#commit();
    return Number(changes) > 0 ? "added" : "repeated";
  }

  /** Everything of `source` is in it. */
  filled(source: string): void {
    this.#commit();
    this.#keep("source", source);
  }

  /** The events of one rank that are not {@link settle}d, oldest first, at most `size` at a time. */
  *open(rank: number, size: number): Generator<readonly SpooledEvent[]> {
    for (let createdAt = -1, number = -1;;) {
      const batch = this.#next.all(rank, createdAt, number, size) as unknown as SpooledEvent[];
      const last = batch.at(-1);
      if (!last) return;
      ({ createdAt, number } = last);
      yield batch;
    }
  }

  /** These need no further look, in this run or another. */
  settle(numbers: readonly number[]): void {
    this.#database.exec("BEGIN");
    for (const number of numbers) this.#settle.run(number);
    this.#database.exec("COMMIT");
  }

  /** How many events are settled. */
  get settledCount(): number {
    return Number(this.#database.prepare("SELECT count(*) AS n FROM events WHERE settled = 1").get()?.n ?? 0);
  }

  /** Closes the file; what was added since the last {@link filled} may be lost. */
  close(): void {
    this.#database.close();
  }

  #commit(): void {
    if (this.#pending > 0) this.#database.exec("COMMIT");
    this.#pending = 0;
  }

  #fact(name: string): string | undefined {
    const row = this.#database.prepare("SELECT value FROM facts WHERE name = ?").get(name);
    return row === undefined ? undefined : String(row.value);
  }

  #keep(name: string, value: string): void {
    this.#database.prepare("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)").run(name, value);
  }
}

/** What the order needs to know; the event itself is judged later, when it is admitted. */
function keyOf(
  line: string,
): { copy: Uint8Array; rank: number; createdAt: number; text: string } | { readonly problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { problem: "not JSON" };
  }
  // Dumps of WebSocket traffic: ["EVENT", event] or ["EVENT", subscription, event].
  const event = Array.isArray(value) && value[0] === "EVENT" ? value.at(-1) : value;
  if (typeof event !== "object" || event === null || Array.isArray(event)) {
    return { problem: "not an event" };
  }
  const { id, pubkey, sig, kind, created_at, tags, content } = event as Record<string, unknown>;
  if (typeof id !== "string" || typeof sig !== "string") return { problem: "an event without id or sig" };
  if (!Number.isSafeInteger(kind) || !Number.isSafeInteger(created_at) || (created_at as number) < 0) {
    return { problem: "an event without kind or created_at" };
  }
  const rank = [30617, 30618, 5].indexOf(kind as number);
  return {
    // Only the same event is a copy: one that was altered must not hide the true one.
    copy: createHash("sha256").update(JSON.stringify([id, pubkey, sig, kind, created_at, tags, content]))
      .digest(),
    rank: rank < 0 ? RANKS.at(-1)! : rank,
    createdAt: created_at as number,
    text: event === value ? line : JSON.stringify(event),
  };
}
