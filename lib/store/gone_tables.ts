import { addressIdentifier, type NostrEvent } from "../nostr/mod.ts";
import type { Reader } from "./reader.ts";
import { textKey } from "./text_key.ts";
import type { RepositoryKey, RetiredKey, RetiredRepository } from "./types.ts";
import { readRetired, readRetiredKeys, RETIRED_COLUMNS } from "./waiting_rows.ts";

/** Most repositories, and about the most bytes of their events, that one call returns. */
const MAX_RETIRED = 1_000;
const MAX_RETIRED_BYTES = 64 * 1024 * 1024;

const RETIRED = `SELECT ${RETIRED_COLUMNS} FROM retired_repositories`;

/** Reads tombstones and retired repositories. The methods are those of the same names of `Store`. */
export class GoneTables {
  readonly #reader: Reader;

  /** Reads through `reader`. */
  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** See `Store.isTombstoned`. */
  async isTombstoned(event: NostrEvent): Promise<boolean> {
    const identifier = addressIdentifier(event);
    const sql = `SELECT 1 FROM tombstoned_ids WHERE id = ? AND pubkey = ?
      UNION ALL SELECT 1 FROM tombstoned_coordinates
        WHERE kind = ? AND pubkey = ? AND identifier = ? AND until >= ?`;
    const rows = await this.#reader.rows(sql, [
      event.id,
      event.pubkey,
      BigInt(event.kind),
      event.pubkey,
      // Other kinds have no coordinate: nothing equals null.
      identifier === undefined ? null : textKey(identifier),
      BigInt(event.created_at),
    ]);
    return rows.length > 0;
  }

  /** See `Store.lastRetired`. */
  async lastRetired(owner: string, identifier: string): Promise<RetiredRepository | undefined> {
    const sql = `${RETIRED} WHERE owner = ? AND identifier = ? ORDER BY retired_at DESC LIMIT 1`;
    const rows = await this.#reader.rows(sql, [owner, textKey(identifier)]);
    return (await this.#reader.usable(readRetired(rows)))[0];
  }

  /** See `Store.heldKeys`. */
  async heldKeys(repository?: RepositoryKey): Promise<readonly RetiredKey[]> {
    const only = repository ? "WHERE owner = ? AND identifier = ?" : "";
    const sql = `SELECT owner, identifier, retired_at FROM retired_repositories ${only}`;
    const args = repository ? [repository.owner, textKey(repository.identifier)] : [];
    return readRetiredKeys(await this.#reader.rows(sql, args));
  }

  /** See `Store.retiredBefore`. */
  async retiredBefore(time: number): Promise<readonly RetiredRepository[]> {
    const sql = `${RETIRED} WHERE rowid IN (
        SELECT row FROM (
          SELECT rowid AS row, sum(octet_length(json)) OVER earlier AS bytes, row_number() OVER earlier AS number
          FROM retired_repositories WHERE retired_at < ?
          WINDOW earlier AS (ORDER BY retired_at, rowid ROWS UNBOUNDED PRECEDING) LIMIT ?
        ) WHERE number = 1 OR bytes <= ?
      ) ORDER BY retired_at, rowid`;
    const args = [BigInt(Math.ceil(time)), BigInt(MAX_RETIRED), BigInt(MAX_RETIRED_BYTES)];
    return await this.#reader.usable(readRetired(await this.#reader.rows(sql, args)));
  }
}

/**
 * Everything held of one owner, or of one repository, earliest first; row by row, because one may hold
 * many events.
 */
export async function* heldOf(
  reader: Reader,
  owner: string,
  identifier?: string,
): AsyncGenerator<RetiredRepository> {
  const only = identifier === undefined ? "" : "AND identifier = ?";
  const args = [owner, ...(identifier === undefined ? [] : [textKey(identifier)])];
  const places = await reader.rows(
    `SELECT rowid AS row FROM retired_repositories WHERE owner = ? ${only} ORDER BY retired_at, rowid`,
    args,
  );
  for (const { row } of places) {
    yield* await reader.usable(
      readRetired(await reader.rows(`${RETIRED} WHERE rowid = ?`, [BigInt(Number(row))])),
    );
  }
}
