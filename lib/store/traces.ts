import type { Reader } from "./reader.ts";
import type { RefusedTables } from "./refused_tables.ts";
import type { IdTraces } from "./refused_types.ts";
import { readRetired, RETIRED_COLUMNS } from "./waiting_rows.ts";

/** Looks an id up in everything that is kept beside served and waiting events. */
export async function tracesOf(reader: Reader, refused: RefusedTables, id: string): Promise<IdTraces> {
  const now = reader.nowMs();
  const gone = await reader.rows("SELECT until FROM gone_ids WHERE id = ? AND until > ?", [id, now]);
  const expired = await reader.rows("SELECT at, until FROM expired_ids WHERE id = ? AND until > ?", [
    id,
    now,
  ]);
  const deleted = await reader.rows("SELECT pubkey FROM tombstoned_ids WHERE id = ?", [id]);
  const retired = await reader.rows(
    `SELECT ${RETIRED_COLUMNS} FROM retired_repositories WHERE instr(json, ?) > 0 ORDER BY retired_at DESC`,
    [id],
  );
  const holding = readRetired(retired).values.find(({ events }) => events.some((event) => event.id === id));
  return {
    refused: await refused.find(id),
    goneUntil: gone[0] && Number(gone[0].until),
    expired: expired[0] && { at: Number(expired[0].at), until: Number(expired[0].until) },
    deletionAskedBy: deleted.map(({ pubkey }) => String(pubkey)),
    retired: holding,
  };
}
