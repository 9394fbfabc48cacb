import type { Filter, NostrEvent } from "../nostr/mod.ts";
import type { Logger, StoreGroup, StoreOperation } from "../observe/mod.ts";
import { type Clock, nowSeconds, repeat } from "../world/mod.ts";
import type { Database, ReadableDatabase } from "./database.ts";
import type { FilterLimits } from "./filter_sql.ts";
import { GoneTables, heldOf } from "./gone_tables.ts";
import { collectHeld, unwantedOf } from "./held_items.ts";
import { collectItems } from "./items.ts";
import { RENEW_MS } from "./lease.ts";
import { PurgatoryTables } from "./purgatory_tables.ts";
import { countEvents, queryTexts } from "./query.ts";
import { Reader, UNEXPIRED } from "./reader.ts";
import { RefusedTables } from "./refused_tables.ts";
import type { IdTraces, RefusedCounts, RefusedMatch, RefusedQuery, RefusedType } from "./refused_types.ts";
import { areRelated } from "./related.ts";
import { standingsOf } from "./standing.ts";
import { eventsOfKinds, waitingAnnouncements } from "./sync_reads.ts";
import { textKey } from "./text_key.ts";
import { Together } from "./together.ts";
import { tracesOf } from "./traces.ts";
import type {
  Changes,
  CommitListener,
  DirtyMark,
  EventStanding,
  IdentifierRows,
  InsertVerdict,
  Item,
  Placeholder,
  QueryResult,
  RepositoryKey,
  RetiredKey,
  RetiredRepository,
  Store,
  WaitingAnnouncement,
  WaitingEntries,
  WaitingPullRequest,
} from "./types.ts";
import { UpkeepTables } from "./upkeep_tables.ts";
import type { ArrivedEvent, JobRun, NotedRepository, RepositoryNote, UpkeepStore } from "./upkeep_types.ts";
import { EVENT_COLUMNS, readEvents } from "./waiting_rows.ts";
import type { Writer } from "./writer.ts";

/** What a {@link LibsqlStore} is made of. */
export interface StoreParts {
  readonly database:
    & ReadableDatabase
    & Pick<Database, "shared" | "arrivals" | "isRemote" | "file" | "ping" | "renew" | "close">;
  readonly writer: Pick<Writer, "submit" | "run" | "watch" | "close">;
  readonly clock: Clock;
  readonly limits: FilterLimits;
  readonly log: Logger;
  readonly metrics: StoreGroup;
}

/** The {@link Store} on a libSQL database: reads go straight to it, writes through the writer. */
export class LibsqlStore implements Store {
  readonly #parts: StoreParts;
  readonly #reader: Reader;
  readonly #purgatory: PurgatoryTables;
  readonly #gone: GoneTables;
  readonly #refused: RefusedTables;
  readonly #upkeep: UpkeepTables;
  readonly #standings: Together<NostrEvent, EventStanding>;
  readonly #relations: Together<NostrEvent, boolean>;
  readonly #closing = new AbortController();

  /** Takes over an open, migrated database. */
  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.#reader = new Reader(parts);
    this.#purgatory = new PurgatoryTables(this.#reader);
    this.#gone = new GoneTables(this.#reader);
    this.#refused = new RefusedTables({ ...parts, reader: this.#reader });
    this.#upkeep = new UpkeepTables({ ...parts, reader: this.#reader, signal: this.#closing.signal });
    this.#standings = new Together((events) =>
      standingsOf(parts.database.arrivals, events, parts.clock.now())
    );
    this.#relations = new Together((events) =>
      areRelated(parts.database.arrivals, events, parts.clock.now())
    );
    if (parts.database.isRemote) {
      // Whatever keeps it from being renewed is told by the next who needs the database.
      const renew = () => parts.database.renew().catch(() => {});
      void repeat(parts.clock, RENEW_MS, this.#closing.signal, renew);
    }
  }

  /** See `Store.standing`. */
  async standing(event: NostrEvent): Promise<EventStanding> {
    return await this.#standings.ask(event);
  }

  /** See `Store.has`. */
  async has(id: string): Promise<boolean> {
    const sql = `SELECT 1 FROM events WHERE id = ? AND ${UNEXPIRED}`;
    return (await this.#reader.rows(sql, [id, this.#reader.now()])).length > 0;
  }

  /** See `Store.get`. */
  async get(ids: readonly string[]): Promise<readonly NostrEvent[]> {
    const sql = `SELECT ${EVENT_COLUMNS} FROM events
      WHERE id IN (SELECT value FROM json_each(?)) AND ${UNEXPIRED} ORDER BY created_at DESC, id`;
    const rows = await this.#reader.rows(sql, [JSON.stringify(ids), this.#reader.now()]);
    return await this.#reader.usable(readEvents(rows));
  }

  /** See `Store.query`. */
  async query(filters: readonly Filter[]): Promise<QueryResult> {
    const { database, limits, clock } = this.#parts;
    const texts = queryTexts(database.shared, filters, limits, nowSeconds(clock));
    return { events: await this.#timed("read", texts) };
  }

  /** See `Store.count`. */
  async count(filters: readonly Filter[]): Promise<number> {
    const { database, clock } = this.#parts;
    return await this.#timed("count", countEvents(database.shared, filters, nowSeconds(clock)));
  }

  /** See `Store.items`. */
  async items(filter: Filter, max: number): Promise<readonly Item[] | undefined> {
    return await collectItems(this.#parts.database.shared, filter, max, nowSeconds(this.#parts.clock));
  }

  /** See `Store.expiredServed`. */
  async expiredServed(now: number, limit: number): Promise<readonly NostrEvent[]> {
    const sql = `SELECT ${EVENT_COLUMNS} FROM events INDEXED BY events_by_expiry
      WHERE expires_at IS NOT NULL AND expires_at <= ? ORDER BY expires_at, seq LIMIT ?`;
    const rows = await this.#reader.rows(sql, [BigInt(Math.floor(now)), BigInt(limit)]);
    return await this.#reader.usable(readEvents(rows));
  }

  /** See `Store.currentVersion`. */
  async currentVersion(kind: number, pubkey: string, identifier: string): Promise<NostrEvent | undefined> {
    const sql = `SELECT ${EVENT_COLUMNS} FROM events INDEXED BY events_by_coordinate
      WHERE kind = ? AND pubkey = ? AND d = ? AND ${UNEXPIRED}`;
    const args = [BigInt(kind), pubkey, textKey(identifier), this.#reader.now()];
    return (await this.#reader.usable(readEvents(await this.#reader.rows(sql, args))))[0];
  }

  /** See `Store.isRelated`. */
  async isRelated(event: NostrEvent): Promise<boolean> {
    return await this.#relations.ask(event);
  }

  /** See `Store.readIdentifier`. */
  async readIdentifier(identifier: string): Promise<IdentifierRows> {
    return await this.#timed("read", this.#purgatory.readIdentifier(identifier));
  }

  /** See `Store.waitingKind`. */
  async waitingKind(id: string): ReturnType<Store["waitingKind"]> {
    return await this.#purgatory.waitingKind(id);
  }

  /** See `Store.waitingEvent`. */
  async waitingEvent(id: string): Promise<NostrEvent | undefined> {
    return await this.#purgatory.waitingEvent(id);
  }

  /** See `Store.waitingPullRequest`. */
  async waitingPullRequest(id: string): Promise<WaitingPullRequest | undefined> {
    return await this.#purgatory.waitingPullRequest(id);
  }

  /** See `Store.placeholder`. */
  async placeholder(id: string): Promise<Placeholder | undefined> {
    return await this.#purgatory.placeholder(id);
  }

  /** See `Store.isExpired`. */
  async isExpired(id: string): Promise<boolean> {
    return await this.#purgatory.isExpired(id);
  }

  /** See `Store.isTombstoned`. */
  async isTombstoned(event: NostrEvent): Promise<boolean> {
    return await this.#gone.isTombstoned(event);
  }

  /** See `Store.traces`. */
  async traces(id: string): Promise<IdTraces> {
    return await tracesOf(this.#reader, this.#refused, id);
  }

  /** See `Store.lastRetired`. */
  async lastRetired(owner: string, identifier: string): Promise<RetiredRepository | undefined> {
    return await this.#gone.lastRetired(owner, identifier);
  }

  /** See `Store.held`. */
  held(owner: string, identifier?: string): AsyncIterable<RetiredRepository> {
    return heldOf(this.#reader, owner, identifier);
  }

  /** See `Store.heldKeys`. */
  async heldKeys(repository?: RepositoryKey): Promise<readonly RetiredKey[]> {
    return await this.#gone.heldKeys(repository);
  }

  /** See `Store.retiredBefore`. */
  async retiredBefore(time: number): Promise<readonly RetiredRepository[]> {
    return await this.#gone.retiredBefore(time);
  }

  /** See `Store.overdue`. */
  async overdue(now: number, limit: number): Promise<WaitingEntries> {
    return await this.#purgatory.overdue(now, limit);
  }

  /** See `Store.softExpiredBeyond`. */
  async softExpiredBeyond(most: number, limit: number): ReturnType<Store["softExpiredBeyond"]> {
    return await this.#purgatory.softExpiredBeyond(most, limit);
  }

  /** See `Store.pendingAtStart`. */
  async pendingAtStart(): Promise<WaitingEntries> {
    return await this.#purgatory.pendingAtStart();
  }

  /** See `Store.dirtyMarks`. */
  async dirtyMarks(): Promise<readonly DirtyMark[]> {
    return await this.#purgatory.dirtyMarks();
  }

  /** See `Store.waitingCounts`. */
  async waitingCounts(): ReturnType<Store["waitingCounts"]> {
    return await this.#purgatory.waitingCounts();
  }

  /** See `Store.waitingAges`. */
  async waitingAges(): ReturnType<Store["waitingAges"]> {
    return await this.#purgatory.waitingAges();
  }

  /** See `Store.waitingAnnouncementsOf`. */
  async waitingAnnouncementsOf(owner: string): Promise<number> {
    return await this.#purgatory.waitingAnnouncementsOf(owner);
  }

  /** See `Store.placeholdersIn`. */
  async placeholdersIn(repository: RepositoryKey): Promise<number> {
    return await this.#purgatory.placeholdersIn(repository);
  }

  /** See `Store.placeholdersInScope`. */
  async placeholdersInScope(scope: RepositoryKey): Promise<number> {
    return await this.#purgatory.placeholdersInScope(scope);
  }

  /** See `Store.waitingPullRequestsFor`. */
  async waitingPullRequestsFor(repository: RepositoryKey): Promise<number> {
    return await this.#purgatory.waitingPullRequestsFor(repository);
  }

  /** See `Store.pruneExpired`. */
  async pruneExpired(now: number): Promise<number> {
    const args = [BigInt(Math.floor(now))];
    const sql = "DELETE FROM expired_ids WHERE until <= ?";
    return await this.#timed("delete", this.#parts.writer.run([{ sql, args }]));
  }

  /** See `SyncStore.eventsOfKinds`. */
  eventsOfKinds(kinds: readonly number[]): AsyncIterable<NostrEvent> {
    return eventsOfKinds(this.#reader, kinds);
  }

  /** See `SyncStore.waitingAnnouncements`. */
  async waitingAnnouncements(): Promise<readonly WaitingAnnouncement[]> {
    return await waitingAnnouncements(this.#reader);
  }

  /** See `SyncStore.heldItems`. */
  async heldItems(filter: Filter, max: number): Promise<readonly Item[] | undefined> {
    return await collectHeld(this.#parts.database, filter, max, this.#parts.clock.now());
  }

  /** See `SyncStore.unwanted`. */
  async unwanted(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return await unwantedOf(this.#parts.database, ids, this.#parts.clock.now());
  }

  /** See `RefusedStore.hasRefused`. */
  async hasRefused(identifier: string): Promise<boolean> {
    return await this.#refused.hasRefused(identifier);
  }

  /** See `RefusedStore.refused`. */
  async refused(query: RefusedQuery, attempts: number, limit: number): Promise<readonly RefusedMatch[]> {
    return await this.#refused.refused(query, attempts, limit);
  }

  /** See `RefusedStore.refusedByKeys`. */
  async refusedByKeys(
    keys: readonly string[],
    attempts: number,
    limit: number,
  ): Promise<readonly RefusedMatch[]> {
    return await this.#refused.refusedByKeys(keys, attempts, limit);
  }

  /** See `RefusedStore.refusedCounts`. */
  async refusedCounts(): Promise<RefusedCounts> {
    return await this.#refused.refusedCounts();
  }

  /** See `RefusedStore.sweepWhole`. */
  async sweepWhole(now: number): Promise<Readonly<Record<RefusedType, number>>> {
    return await this.#timed("delete", this.#refused.sweepWhole(now));
  }

  /** See `RefusedStore.sweepRefused`. */
  async sweepRefused(now: number): Promise<Readonly<Record<RefusedType, number>>> {
    return await this.#timed("delete", this.#refused.sweepRefused(now));
  }

  /** See `UpkeepStore.repositoryNotes`. */
  async repositoryNotes(job: string): Promise<readonly RepositoryNote[]> {
    return await this.#upkeep.repositoryNotes(job);
  }

  /** See `UpkeepStore.putRepositoryNote`. */
  async putRepositoryNote(note: RepositoryNote): Promise<void> {
    await this.#upkeep.putRepositoryNote(note);
  }

  /** See `UpkeepStore.dropRepositoryNotes`. */
  async dropRepositoryNotes(repositories: readonly NotedRepository[]): Promise<void> {
    await this.#upkeep.dropRepositoryNotes(repositories);
  }

  /** See `UpkeepStore.jobRuns`. */
  async jobRuns(): Promise<readonly JobRun[]> {
    return await this.#upkeep.jobRuns();
  }

  /** See `UpkeepStore.putJobRun`. */
  async putJobRun(run: Parameters<UpkeepStore["putJobRun"]>[0]): Promise<void> {
    await this.#upkeep.putJobRun(run);
  }

  /** See `UpkeepStore.taggedServed`. */
  async taggedServed(
    value: string,
    page: Parameters<UpkeepStore["taggedServed"]>[1],
  ): Promise<readonly ArrivedEvent[]> {
    return await this.#upkeep.taggedServed(value, page);
  }

  /** See `UpkeepStore.waitingContaining`. */
  async waitingContaining(text: string, limit: number): ReturnType<UpkeepStore["waitingContaining"]> {
    return await this.#upkeep.waitingContaining(text, limit);
  }

  /** See `UpkeepStore.checkpoint`. */
  async checkpoint(): Promise<boolean> {
    return await this.#upkeep.checkpoint();
  }

  /** See `UpkeepStore.findDamage`. */
  async findDamage(): Promise<string | undefined> {
    return await this.#upkeep.findDamage();
  }

  /** See `Store.commit`. */
  async commit(changes: Changes): Promise<readonly InsertVerdict[]> {
    return await this.#timed("write", this.#parts.writer.submit(changes));
  }

  /** See `Store.watch`. */
  watch(listener: CommitListener): () => void {
    return this.#parts.writer.watch(listener);
  }

  /** See `Store.ping`. */
  async ping(): Promise<void> {
    await this.#parts.database.ping();
  }

  /** See `Store.close`. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#parts.writer.close();
    await this.#parts.database.close();
  }

  async #timed<T>(operation: StoreOperation, work: Promise<T>): Promise<T> {
    const { clock, metrics } = this.#parts;
    const startedAt = clock.monotonic();
    try {
      return await work;
    } finally {
      metrics.operation(operation, (clock.monotonic() - startedAt) / 1000);
    }
  }
}
