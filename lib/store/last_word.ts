import type { Statement } from "./statement.ts";
import { listStatements } from "./list_statements.ts";
import { textKey } from "./text_key.ts";
import type { RepositoryKey } from "./types.ts";

/** A value of one column. */
export type Cell = string | number;

/** The columns of one table, and the table that finds its rows by repository, if it has one. */
export interface TableColumns {
  readonly table: string;
  readonly key: readonly string[];
  readonly columns: readonly string[];
  /** Its columns are `identifier`, `owner` and `id`; rows go with the rows they find. */
  readonly finder?: string;
}

interface LastChange {
  /** The whole row, or the key alone when it is to go. */
  readonly row: readonly Cell[];
  readonly stays: boolean;
  readonly places: readonly RepositoryKey[];
}

/** The last change to each key of one table. */
export class LastWord {
  readonly #table: TableColumns;
  readonly #changes = new Map<string, LastChange>();

  /** Nothing changed yet. */
  constructor(table: TableColumns) {
    this.#table = table;
  }

  /** The row with this key is to go. */
  remove(key: readonly Cell[]): void {
    this.#changes.set(JSON.stringify(key), { row: key, stays: false, places: [] });
  }

  /** The row with this key is to hold `values`, and to be found by `places`. */
  put(key: readonly Cell[], values: readonly Cell[], places: readonly RepositoryKey[] = []): void {
    this.#changes.set(JSON.stringify(key), { row: [...key, ...values], stays: true, places });
  }

  /** The statements that bring the table there. */
  statements(): Statement[] {
    const { table, key, columns, finder } = this.#table;
    const changes = [...this.#changes.values()];
    const removed = changes.filter(({ stays }) => !stays).map(({ row }) => row);
    const put = changes.filter(({ stays }) => stays);
    const remove = `DELETE FROM ${table} WHERE (${key.join(", ")}) IN (SELECT ${
      cells(key)
    } FROM json_each(?))`;
    return [
      ...listStatements(remove, removed),
      ...listStatements(upsert(table, key, columns), put.map(({ row }) => row)),
      ...(finder === undefined ? [] : finderStatements(finder, put)),
    ];
  }
}

function upsert(table: string, key: readonly string[], columns: readonly string[]): string {
  const all = [...key, ...columns];
  const updates = columns.map((column) => `${column} = excluded.${column}`).join(", ");
  // WHERE true tells SQLite's parser that ON belongs to the conflict clause, not to a join.
  return `INSERT INTO ${table} (${all.join(", ")}) SELECT ${cells(all)} FROM json_each(?) WHERE true
    ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${updates}`;
}

function finderStatements(finder: string, put: readonly LastChange[]): Statement[] {
  const ids = put.map(({ row }) => row[0]!);
  const rows = put.flatMap(({ row, places }) =>
    places.map(({ owner, identifier }) => [textKey(identifier), owner, row[0]!])
  );
  const insert = `INSERT OR IGNORE INTO ${finder} (identifier, owner, id) SELECT ${
    cells(["identifier", "owner", "id"])
  } FROM json_each(?)`;
  return [
    ...listStatements(`DELETE FROM ${finder} WHERE id IN (SELECT value FROM json_each(?))`, ids),
    ...listStatements(insert, rows),
  ];
}

function cells(columns: readonly string[]): string {
  return columns.map((_, index) => `value ->> ${index}`).join(", ");
}
