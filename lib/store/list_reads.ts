import type { ReadableDatabase } from "./database.ts";
import { eachListStatement } from "./list_statements.ts";
import type { SqlValue, Statement } from "./statement.ts";

/**
 * What `sql` says of each of `rows`, one character per row in their order. Its first parameter is a JSON list
 * of rows, `args` are the others. Long lists are made and read in parts, each as of its own moment.
 */
export async function charactersOf(
  database: ReadableDatabase,
  sql: string,
  rows: Iterable<unknown>,
  args: readonly SqlValue[],
): Promise<readonly string[]> {
  const { readsAtOnce, listSize } = database.bounds;
  const characters: string[] = [];
  let waiting: Statement[] = [];
  const read = async () => {
    const results = await database.readAll(waiting);
    for (const { rows: [text] } of results) characters.push(...String(text?.[0]));
    waiting = [];
  };
  for (const { sql: query, args: list } of eachListStatement(sql, rows, listSize)) {
    waiting.push({ sql: query, args: [...list, ...args] });
    if (waiting.length === readsAtOnce) await read();
  }
  if (waiting.length > 0) await read();
  return characters;
}
