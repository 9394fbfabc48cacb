import type { Row } from "@libsql/client";
import type { Clock } from "../world/mod.ts";
import { damageOf, damageOfFile } from "./damage.ts";
import type { Database } from "./database.ts";
import type { Reader } from "./reader.ts";
import type { SqlValue } from "./statement.ts";
import { textKey, valueOfTextKey } from "./text_key.ts";
import type { ArrivedEvent, JobRun, NotedRepository, RepositoryNote, UpkeepStore } from "./upkeep_types.ts";
import {
  EVENT_COLUMNS,
  readEvents,
  readWaitingAnnouncements,
  readWaitingPullRequests,
  readWaitingStates,
  WAITING_ANNOUNCEMENT_COLUMNS,
  WAITING_PULL_REQUEST_COLUMNS,
  WAITING_STATE_COLUMNS,
} from "./waiting_rows.ts";
import type { Writer } from "./writer.ts";

/** Rows of an index that statistics are taken from: keeps refreshing them short. */
const ANALYSIS_LIMIT = 400;

const PUT_RUN = `INSERT INTO job_runs (job, at, succeeded_at, duration_ms, text) VALUES (?1, ?2, ?3, ?4, ?5)
  ON CONFLICT (job) DO UPDATE SET at = ?2, duration_ms = ?4, text = ?5,
    succeeded_at = max(succeeded_at, excluded.succeeded_at)`;

/** What {@link UpkeepTables} needs. */
export interface UpkeepTablesParts {
  readonly reader: Reader;
  readonly writer: Pick<Writer, "run">;
  readonly database: Pick<Database, "read" | "isRemote" | "file">;
  readonly clock: Clock;
  /** Ends a check of the database. */
  readonly signal: AbortSignal;
}

/** What maintenance remembers and asks. The methods are those of the same names of `UpkeepStore`. */
export class UpkeepTables implements UpkeepStore {
  readonly #parts: UpkeepTablesParts;

  /** Works on the tables behind `parts`. */
  constructor(parts: UpkeepTablesParts) {
    this.#parts = parts;
  }

  /** See `UpkeepStore.repositoryNotes`. */
  async repositoryNotes(job: string): Promise<readonly RepositoryNote[]> {
    return await repositoryNotes(this.#parts.reader, job);
  }

  /** See `UpkeepStore.putRepositoryNote`. */
  async putRepositoryNote({ repository, job, at, ok, detail }: RepositoryNote): Promise<void> {
    const sql = "INSERT OR REPLACE INTO repository_notes VALUES (?, ?, ?, ?, ?, ?, ?)";
    const args = [job, ...keyOf(repository), whole(at), ok ? 1n : 0n, detail.toWellFormed()];
    await this.#parts.writer.run([{ sql, args }]);
  }

  /** See `UpkeepStore.dropRepositoryNotes`. */
  async dropRepositoryNotes(repositories: readonly NotedRepository[]): Promise<void> {
    if (repositories.length === 0) return;
    const sql = "DELETE FROM repository_notes WHERE space = ? AND owner = ? AND identifier = ?";
    await this.#parts.writer.run(repositories.map((repository) => ({ sql, args: keyOf(repository) })));
  }

  /** See `UpkeepStore.jobRuns`. */
  async jobRuns(): Promise<readonly JobRun[]> {
    return await jobRuns(this.#parts.reader);
  }

  /** See `UpkeepStore.putJobRun`. */
  async putJobRun(run: Parameters<UpkeepStore["putJobRun"]>[0]): Promise<void> {
    const { job, at, ok, durationMs, text } = run;
    const args = [job, whole(at), ok ? whole(at) : 0n, whole(durationMs), text.toWellFormed()];
    await this.#parts.writer.run([{ sql: PUT_RUN, args }]);
  }

  /** See `UpkeepStore.taggedServed`. */
  async taggedServed(
    value: string,
    { arrivedBefore, afterSeq, limit }: Parameters<UpkeepStore["taggedServed"]>[1],
  ): Promise<readonly ArrivedEvent[]> {
    const sql = `SELECT ${EVENT_COLUMNS}, arrived_at FROM events
      WHERE seq IN (SELECT seq FROM tags WHERE name = 't' AND value = ? AND seq > ?) AND arrived_at <= ?
      ORDER BY seq LIMIT ?`;
    const args = [textKey(value), whole(afterSeq), whole(arrivedBefore), whole(limit)];
    const rows = await this.#parts.reader.rows(sql, args);
    const places = new Map(rows.map((row) => [String(row.id), row]));
    return (await this.#parts.reader.usable(readEvents(rows))).map((event) => {
      const row = places.get(event.id)!;
      return { event, seq: Number(row.row), arrivedAt: Number(row.arrived_at) };
    });
  }

  /** See `UpkeepStore.waitingContaining`. */
  async waitingContaining(text: string, limit: number): ReturnType<UpkeepStore["waitingContaining"]> {
    const { reader } = this.#parts;
    const rows = (table: string, columns: string) =>
      reader.rows(`SELECT ${columns} FROM ${table} WHERE instr(json, ?) > 0 ORDER BY rowid LIMIT ?`, [
        text,
        whole(limit),
      ]);
    return {
      announcements: await reader.usable(
        readWaitingAnnouncements(await rows("waiting_announcements", WAITING_ANNOUNCEMENT_COLUMNS)),
      ),
      states: await reader.usable(readWaitingStates(await rows("waiting_states", WAITING_STATE_COLUMNS))),
      pullRequests: await reader.usable(
        readWaitingPullRequests(await rows("waiting_pull_requests", WAITING_PULL_REQUEST_COLUMNS)),
      ),
    };
  }

  /** See `UpkeepStore.checkpoint`. */
  async checkpoint(): Promise<boolean> {
    const { database } = this.#parts;
    if (database.isRemote) return false;
    await database.read("PRAGMA wal_checkpoint(TRUNCATE)");
    await database.read(`PRAGMA analysis_limit = ${ANALYSIS_LIMIT}`);
    await database.read("PRAGMA optimize");
    return true;
  }

  /** See `UpkeepStore.findDamage`. */
  async findDamage(): Promise<string | undefined> {
    const { database, reader, clock, signal } = this.#parts;
    if (database.isRemote) return undefined;
    const found = database.file === undefined ? "unable" : await damageOfFile(database.file, clock, signal);
    return found === "unable" ? await damageOf((sql) => reader.rows(sql)) : found;
  }
}

/** See `UpkeepStore.repositoryNotes`. */
export async function repositoryNotes(reader: Reader, job: string): Promise<readonly RepositoryNote[]> {
  const rows = await reader.rows("SELECT * FROM repository_notes WHERE job = ?", [job]);
  return rows.map((row) => ({
    repository: repositoryOf(row),
    job,
    at: Number(row.at),
    ok: row.ok === 1,
    detail: String(row.detail),
  }));
}

/** See `UpkeepStore.jobRuns`. */
export async function jobRuns(reader: Reader): Promise<readonly JobRun[]> {
  const rows = await reader.rows("SELECT * FROM job_runs ORDER BY job");
  return rows.map((row) => ({
    job: String(row.job),
    at: Number(row.at),
    succeededAt: Number(row.succeeded_at),
    durationMs: Number(row.duration_ms),
    text: String(row.text),
  }));
}

function keyOf({ space, owner, identifier }: NotedRepository): SqlValue[] {
  return [space ?? "", owner, textKey(identifier)];
}

function repositoryOf(row: Row): NotedRepository {
  return {
    ...(row.space === "prs" && { space: "prs" }),
    owner: String(row.owner),
    identifier: valueOfTextKey(String(row.identifier)),
  };
}

function whole(value: number): bigint {
  return BigInt(Math.floor(value));
}
