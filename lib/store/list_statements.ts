import type { Statement } from "./statement.ts";

/** Longest JSON list of one statement, in UTF-16 units: database servers limit the size of a value. */
const MAX_LIST = 1024 * 1024;

/**
 * `sql`, whose one parameter is a JSON list, for `rows`: as many statements as it takes to keep each
 * list short. A longer row gets a statement of its own.
 */
export function listStatements(sql: string, rows: readonly unknown[]): Statement[] {
  const statements: Statement[] = [];
  let texts: string[] = [];
  let length = 0;
  const add = () => {
    if (texts.length > 0) statements.push({ sql, args: [`[${texts.join(",")}]`] });
    texts = [];
    length = 0;
  };
  for (const row of rows) {
    const text = JSON.stringify(row);
    if (length + text.length > MAX_LIST) add();
    texts.push(text);
    length += text.length + 1;
  }
  add();
  return statements;
}
