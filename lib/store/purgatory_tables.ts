import type { Row } from "@libsql/client";
import { KIND, type NostrEvent } from "../nostr/mod.ts";
import type { Statement } from "./statement.ts";
import { type Reader, UNEXPIRED } from "./reader.ts";
import { textKey } from "./text_key.ts";
import type {
  DirtyMark,
  IdentifierRows,
  Placeholder,
  RepositoryKey,
  Store,
  WaitingEntries,
  WaitingPullRequest,
} from "./types.ts";
import {
  EVENT_COLUMNS,
  PLACEHOLDER_COLUMNS,
  readDirtyMarks,
  readEvents,
  readPlaceholders,
  readStoredAnnouncements,
  readWaitingAnnouncements,
  readWaitingPullRequests,
  readWaitingStates,
  WAITING_ANNOUNCEMENT_COLUMNS,
  WAITING_PULL_REQUEST_COLUMNS,
  WAITING_STATE_COLUMNS,
} from "./waiting_rows.ts";

const SERVED = `SELECT ${EVENT_COLUMNS} FROM events INDEXED BY events_by_identifier
  WHERE d = ? AND kind = ? AND ${UNEXPIRED} ORDER BY created_at DESC, id`;
const ANNOUNCEMENTS = `SELECT ${WAITING_ANNOUNCEMENT_COLUMNS} FROM waiting_announcements`;
const STATES = `SELECT ${WAITING_STATE_COLUMNS} FROM waiting_states`;
const PULL_REQUESTS = `SELECT ${WAITING_PULL_REQUEST_COLUMNS} FROM waiting_pull_requests`;
const PLACEHOLDERS = `SELECT ${PLACEHOLDER_COLUMNS} FROM placeholders`;

/** Reads what waits in purgatory. The methods are those of the same names of `Store`. */
export class PurgatoryTables {
  readonly #reader: Reader;

  /** Reads through `reader`. */
  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** See `Store.readIdentifier`. */
  async readIdentifier(identifier: string): Promise<IdentifierRows> {
    const key = textKey(identifier);
    const now = this.#reader.now();
    const waiting = "WHERE identifier = ? ORDER BY first_entered_at, rowid";
    const found = (finder: string) =>
      `WHERE id IN (SELECT id FROM ${finder} WHERE identifier = ?) ORDER BY first_entered_at, rowid`;
    const [announcements, states, ...rest] = await this.#reader.all([
      { sql: SERVED, args: [key, BigInt(KIND.announcement), now] },
      { sql: SERVED, args: [key, BigInt(KIND.state), now] },
      { sql: `${ANNOUNCEMENTS} ${waiting}`, args: [key] },
      { sql: `${STATES} ${waiting}`, args: [key] },
      { sql: `${PULL_REQUESTS} ${found("pull_request_targets")}`, args: [key] },
      { sql: `${PLACEHOLDERS} ${found("placeholder_repositories")}`, args: [key] },
    ]);
    const entries = await this.#entries(rest.map(({ rows }) => rows));
    return {
      announcements: await this.#reader.usable(readStoredAnnouncements(announcements!.rows)),
      states: await this.#reader.usable(readEvents(states!.rows)),
      waitingAnnouncements: entries.announcements,
      waitingStates: entries.states,
      waitingPullRequests: entries.pullRequests,
      placeholders: entries.placeholders,
    };
  }

  /** See `Store.waitingKind`. */
  async waitingKind(id: string): ReturnType<Store["waitingKind"]> {
    const sql = `SELECT 'announcement' FROM waiting_announcements WHERE event_id = ?1
      UNION ALL SELECT 'state' FROM waiting_states WHERE id = ?1
      UNION ALL SELECT 'pullRequest' FROM waiting_pull_requests WHERE id = ?1`;
    const kind = (await this.#reader.rows(sql, [id]))[0]?.[0];
    return kind === "announcement" || kind === "state" || kind === "pullRequest" ? kind : undefined;
  }

  /** See `Store.waitingEvent`. */
  async waitingEvent(id: string): Promise<NostrEvent | undefined> {
    const results = await this.#reader.all([
      { sql: `${ANNOUNCEMENTS} WHERE event_id = ?`, args: [id] },
      { sql: `${STATES} WHERE id = ?`, args: [id] },
      { sql: `${PULL_REQUESTS} WHERE id = ?`, args: [id] },
    ]);
    const { announcements, states, pullRequests } = await this.#entries([
      ...results.map(({ rows }) => rows),
      [],
    ]);
    return [...announcements, ...states, ...pullRequests][0]?.event;
  }

  /** See `Store.waitingPullRequest`. */
  async waitingPullRequest(id: string): Promise<WaitingPullRequest | undefined> {
    const rows = await this.#reader.rows(`${PULL_REQUESTS} WHERE id = ?`, [id]);
    return (await this.#reader.usable(readWaitingPullRequests(rows)))[0];
  }

  /** See `Store.placeholder`. */
  async placeholder(id: string): Promise<Placeholder | undefined> {
    const rows = await this.#reader.rows(`${PLACEHOLDERS} WHERE id = ?`, [id]);
    return (await this.#reader.usable(readPlaceholders(rows)))[0];
  }

  /** See `Store.isExpired`. */
  async isExpired(id: string): Promise<boolean> {
    const sql = "SELECT 1 FROM expired_ids WHERE id = ? AND until > ?";
    return (await this.#reader.rows(sql, [id, this.#reader.nowMs()])).length > 0;
  }

  /** See `Store.overdue`. */
  async overdue(now: number, limit: number): Promise<WaitingEntries> {
    const due = "WHERE deadline_at <= ? ORDER BY deadline_at, rowid LIMIT ?";
    const args = [BigInt(Math.floor(now)), BigInt(limit)];
    return await this.#everySort((sort) => ({ sql: `${sort} ${due}`, args }));
  }

  /** See `Store.softExpiredBeyond`. */
  async softExpiredBeyond(most: number, limit: number): ReturnType<Store["softExpiredBeyond"]> {
    const surplus = (await this.waitingCounts()).soft - most;
    if (surplus <= 0) return [];
    const sql = `${ANNOUNCEMENTS} WHERE phase = 'soft' ORDER BY deadline_at, rowid LIMIT ?`;
    const rows = await this.#reader.rows(sql, [BigInt(Math.min(surplus, limit))]);
    return await this.#reader.usable(readWaitingAnnouncements(rows));
  }

  /** See `Store.pendingAtStart`. */
  async pendingAtStart(): Promise<WaitingEntries> {
    return await this.#everySort((sort) => ({
      sql: `${sort} ${sort === ANNOUNCEMENTS ? "WHERE phase = 'active'" : ""} ORDER BY deadline_at, rowid`,
      args: [],
    }));
  }

  /** See `Store.dirtyMarks`. */
  async dirtyMarks(): Promise<readonly DirtyMark[]> {
    return readDirtyMarks(await this.#reader.rows("SELECT * FROM dirty_repositories ORDER BY since, rowid"));
  }

  /** See `Store.waitingCounts`. */
  async waitingCounts(): ReturnType<Store["waitingCounts"]> {
    const row = (await this.#reader.rows(`SELECT
      (SELECT count(*) FROM waiting_announcements WHERE phase = 'active'),
      (SELECT count(*) FROM waiting_announcements WHERE phase = 'soft'),
      (SELECT count(*) FROM waiting_states),
      (SELECT count(*) FROM waiting_pull_requests),
      (SELECT count(*) FROM placeholders)`))[0]!;
    const [active, soft, states, pullRequests, placeholders] = Array.from(
      { length: 5 },
      (_, index) => Number(row[index]),
    ) as [number, number, number, number, number];
    return { active, soft, states, pullRequests, placeholders };
  }

  /** See `Store.waitingAges`. */
  async waitingAges(): ReturnType<Store["waitingAges"]> {
    const row = (await this.#reader.rows(`SELECT
      (SELECT min(first_entered_at) FROM waiting_announcements WHERE phase = 'active'),
      (SELECT min(first_entered_at) FROM waiting_announcements WHERE phase = 'soft'),
      (SELECT min(first_entered_at) FROM waiting_states),
      (SELECT min(first_entered_at) FROM waiting_pull_requests),
      (SELECT min(first_entered_at) FROM placeholders),
      (SELECT count(*) FROM expired_ids),
      (SELECT count(*) FROM dirty_repositories)`))[0]!;
    const time = (index: number) => row[index] === null ? undefined : Number(row[index]);
    return {
      active: time(0),
      soft: time(1),
      states: time(2),
      pullRequests: time(3),
      placeholders: time(4),
      expiredIds: Number(row[5]),
      dirty: Number(row[6]),
    };
  }

  /** See `Store.waitingAnnouncementsOf`. */
  async waitingAnnouncementsOf(owner: string): Promise<number> {
    const sql = "SELECT count(*) FROM waiting_announcements WHERE phase = 'active' AND owner = ?";
    return await this.#reader.number(sql, [owner]);
  }

  /** See `Store.placeholdersIn`. */
  async placeholdersIn(repository: RepositoryKey): Promise<number> {
    return await this.#countFound("placeholder_repositories", repository);
  }

  /** See `Store.placeholdersInScope`. */
  async placeholdersInScope({ owner, identifier }: RepositoryKey): Promise<number> {
    const sql = `SELECT count(*) FROM placeholders
      WHERE scope_owner <> '' AND scope_identifier = ? AND scope_owner = ?`;
    return await this.#reader.number(sql, [textKey(identifier), owner]);
  }

  /** See `Store.waitingPullRequestsFor`. */
  async waitingPullRequestsFor(repository: RepositoryKey): Promise<number> {
    return await this.#countFound("pull_request_targets", repository);
  }

  async #countFound(finder: string, { owner, identifier }: RepositoryKey): Promise<number> {
    const sql = `SELECT count(*) FROM ${finder} WHERE identifier = ? AND owner = ?`;
    return await this.#reader.number(sql, [textKey(identifier), owner]);
  }

  async #everySort(
    query: (sort: string) => Statement,
  ): Promise<WaitingEntries> {
    const sorts = [ANNOUNCEMENTS, STATES, PULL_REQUESTS, PLACEHOLDERS];
    const results = await this.#reader.all(sorts.map(query));
    return await this.#entries(results.map(({ rows }) => rows));
  }

  /** Rows of the four sorts, in the order announcements, states, pull requests, placeholders. */
  async #entries([first, second, third, fourth]: readonly (readonly Row[])[]): Promise<WaitingEntries> {
    return {
      announcements: await this.#reader.usable(readWaitingAnnouncements(first!)),
      states: await this.#reader.usable(readWaitingStates(second!)),
      pullRequests: await this.#reader.usable(readWaitingPullRequests(third!)),
      placeholders: await this.#reader.usable(readPlaceholders(fourth!)),
    };
  }
}
