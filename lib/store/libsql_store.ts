import type { Row } from "@libsql/client";
import { type Filter, KIND, type NostrEvent } from "../nostr/mod.ts";
import type { Logger } from "../observe/log.ts";
import { type Clock, nowSeconds } from "../world/mod.ts";
import type { Database, SqlValue } from "./database.ts";
import type { FilterLimits } from "./filter_sql.ts";
import { countEvents, queryTexts } from "./query.ts";
import { relatedQueries } from "./related.ts";
import { textKey } from "./text_key.ts";
import type {
  Changes,
  DirtyMark,
  IdentifierRows,
  InsertVerdict,
  QueryResult,
  Store,
  WaitingAnnouncement,
  WaitingState,
} from "./types.ts";
import {
  type DamagedRow,
  EVENT_COLUMNS,
  readDirtyMarks,
  readEvents,
  type ReadRows,
  readStoredAnnouncements,
  readWaitingAnnouncements,
  readWaitingStates,
  WAITING_ANNOUNCEMENT_COLUMNS,
  WAITING_STATE_COLUMNS,
} from "./waiting_rows.ts";
import type { Writer } from "./writer.ts";

const UNEXPIRED = "(expires_at IS NULL OR expires_at > ?)";
const ANNOUNCEMENTS = `SELECT ${WAITING_ANNOUNCEMENT_COLUMNS} FROM waiting_announcements`;
const STATES = `SELECT ${WAITING_STATE_COLUMNS} FROM waiting_states`;

/** What a {@link LibsqlStore} is made of. */
export interface StoreParts {
  readonly database: Database;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly limits: FilterLimits;
  readonly log: Logger;
}

/** The {@link Store} on a libSQL database: reads go straight to it, writes through the writer. */
export class LibsqlStore implements Store {
  readonly #parts: StoreParts;

  /** Takes over an open, migrated database. */
  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  /** See `Store.has`. */
  async has(id: string): Promise<boolean> {
    const rows = await this.#rows(`SELECT 1 FROM events WHERE id = ? AND ${UNEXPIRED}`, [id, this.#now()]);
    return rows.length > 0;
  }

  /** See `Store.query`. */
  async query(filters: readonly Filter[]): Promise<QueryResult> {
    const { database, limits, clock } = this.#parts;
    return { events: await queryTexts(database, filters, limits, nowSeconds(clock)) };
  }

  /** See `Store.count`. */
  async count(filters: readonly Filter[]): Promise<number> {
    return await countEvents(this.#parts.database, filters, nowSeconds(this.#parts.clock));
  }

  /** See `Store.currentVersion`. */
  async currentVersion(kind: number, pubkey: string, identifier: string): Promise<NostrEvent | undefined> {
    const sql = `SELECT ${EVENT_COLUMNS} FROM events INDEXED BY events_by_coordinate
      WHERE kind = ? AND pubkey = ? AND d = ? AND ${UNEXPIRED}`;
    const rows = await this.#rows(sql, [BigInt(kind), pubkey, textKey(identifier), this.#now()]);
    return (await this.#usable(readEvents(rows)))[0];
  }

  /** See `Store.isRelated`. */
  async isRelated(event: NostrEvent): Promise<boolean> {
    for (const { sql, args } of relatedQueries(event, nowSeconds(this.#parts.clock))) {
      if ((await this.#rows(sql, args)).length > 0) return true;
    }
    return false;
  }

  /** See `Store.readIdentifier`. */
  async readIdentifier(identifier: string): Promise<IdentifierRows> {
    const key = textKey(identifier);
    const served = `SELECT ${EVENT_COLUMNS} FROM events INDEXED BY events_by_identifier
      WHERE d = ? AND kind = ? AND ${UNEXPIRED} ORDER BY created_at DESC, id`;
    const [announcements, states, waitingAnnouncements, waitingStates] = await this.#parts.database.readAll([
      { sql: served, args: [key, BigInt(KIND.announcement), this.#now()] },
      { sql: served, args: [key, BigInt(KIND.state), this.#now()] },
      { sql: `${ANNOUNCEMENTS} WHERE identifier = ? ORDER BY first_entered_at, rowid`, args: [key] },
      { sql: `${STATES} WHERE identifier = ? ORDER BY first_entered_at, rowid`, args: [key] },
    ]);
    return {
      announcements: await this.#usable(readStoredAnnouncements(announcements!.rows)),
      states: await this.#usable(readEvents(states!.rows)),
      waitingAnnouncements: await this.#usable(readWaitingAnnouncements(waitingAnnouncements!.rows)),
      waitingStates: await this.#usable(readWaitingStates(waitingStates!.rows)),
    };
  }

  /** See `Store.waitingKind`. */
  async waitingKind(id: string): Promise<"announcement" | "state" | undefined> {
    const sql = `SELECT 'announcement' FROM waiting_announcements WHERE event_id = ?1
      UNION ALL SELECT 'state' FROM waiting_states WHERE id = ?1`;
    const kind = (await this.#rows(sql, [id]))[0]?.[0];
    return kind === "announcement" || kind === "state" ? kind : undefined;
  }

  /** See `Store.isExpired`. */
  async isExpired(id: string): Promise<boolean> {
    return (await this.#rows("SELECT 1 FROM expired_ids WHERE id = ?", [id])).length > 0;
  }

  /** See `Store.overdue`; `limit` holds for each kind. */
  async overdue(
    now: number,
    limit: number,
  ): Promise<{ announcements: readonly WaitingAnnouncement[]; states: readonly WaitingState[] }> {
    const due = "WHERE deadline_at <= ? ORDER BY deadline_at, rowid LIMIT ?";
    const args = [BigInt(Math.floor(now)), BigInt(limit)];
    return {
      announcements: await this.#usable(
        readWaitingAnnouncements(await this.#rows(`${ANNOUNCEMENTS} ${due}`, args)),
      ),
      states: await this.#usable(readWaitingStates(await this.#rows(`${STATES} ${due}`, args))),
    };
  }

  /** See `Store.pendingAtStart`. */
  async pendingAtStart(): Promise<
    { announcements: readonly WaitingAnnouncement[]; states: readonly WaitingState[] }
  > {
    const active = await this.#rows(`${ANNOUNCEMENTS} WHERE phase = 'active' ORDER BY deadline_at, rowid`);
    const states = await this.#rows(`${STATES} ORDER BY deadline_at, rowid`);
    return {
      announcements: await this.#usable(readWaitingAnnouncements(active)),
      states: await this.#usable(readWaitingStates(states)),
    };
  }

  /** See `Store.dirtyMarks`. */
  async dirtyMarks(): Promise<readonly DirtyMark[]> {
    return readDirtyMarks(await this.#rows("SELECT * FROM dirty_repositories ORDER BY since, rowid"));
  }

  /** See `Store.waitingCounts`. */
  async waitingCounts(): Promise<{ active: number; soft: number; states: number }> {
    const row = (await this.#rows(`SELECT
      (SELECT count(*) FROM waiting_announcements WHERE phase = 'active'),
      (SELECT count(*) FROM waiting_announcements WHERE phase = 'soft'),
      (SELECT count(*) FROM waiting_states)`))[0]!;
    return { active: Number(row[0]), soft: Number(row[1]), states: Number(row[2]) };
  }

  /** See `Store.waitingAnnouncementsOf`. */
  async waitingAnnouncementsOf(owner: string): Promise<number> {
    const sql = "SELECT count(*) FROM waiting_announcements WHERE phase = 'active' AND owner = ?";
    return Number((await this.#rows(sql, [owner]))[0]?.[0]);
  }

  /** See `Store.pruneExpired`. */
  async pruneExpired(before: number): Promise<number> {
    const args = [BigInt(Math.floor(before))];
    return await this.#parts.writer.run([{ sql: "DELETE FROM expired_ids WHERE at < ?", args }]);
  }

  /** See `Store.commit`. */
  async commit(changes: Changes): Promise<readonly InsertVerdict[]> {
    return await this.#parts.writer.submit(changes);
  }

  /** See `Store.ping`. */
  async ping(): Promise<void> {
    await this.#rows("SELECT number FROM commit_mark");
  }

  /** See `Store.close`. */
  async close(): Promise<void> {
    await this.#parts.writer.close();
    await this.#parts.database.close();
  }

  #now(): bigint {
    return BigInt(nowSeconds(this.#parts.clock));
  }

  async #rows(sql: string, args: readonly SqlValue[] = []): Promise<readonly Row[]> {
    return (await this.#parts.database.read(sql, args)).rows;
  }

  /** The usable values of a read, after moving damaged rows to the quarantine table. */
  async #usable<T>({ values, damaged }: ReadRows<T>): Promise<readonly T[]> {
    for (const row of damaged) await this.#quarantine(row);
    return values;
  }

  async #quarantine({ table, row, json, reason }: DamagedRow): Promise<void> {
    const { writer, log, clock } = this.#parts;
    log.error("a damaged database row was moved to quarantine", { table, reason, row: Number(row) });
    // The text is compared too: the row may have been replaced by a good one since it was read.
    const where = `FROM ${table} WHERE ${table === "events" ? "seq" : "rowid"} = ?1 AND json = ?2`;
    const at = BigInt(Math.floor(clock.now()));
    try {
      await writer.run([
        {
          sql: `INSERT INTO quarantine (source, reason, at, json) SELECT ?3, ?4, ?5, json ${where}`,
          args: [row, json, table, reason, at],
        },
        { sql: `DELETE ${where}`, args: [row, json] },
      ]);
    } catch (cause) {
      log.warn("a damaged row stays where it is", { table, cause: String(cause) });
    }
  }
}
