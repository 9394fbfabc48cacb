import type { Statement } from "./statement.ts";

/** Longest JSON list of one statement, in UTF-16 units: database servers limit the size of a value. */
export const MAX_LIST = 1024 * 1024;

/**
 * `sql`, whose one parameter is a JSON list, for `rows`: as many statements as it takes to keep each
 * list short. A longer row gets a statement of its own.
 */
export function listStatements(sql: string, rows: readonly unknown[]): Statement[] {
  return [...eachListStatement(sql, rows, MAX_LIST)];
}

/** The same with lists of at most `most` UTF-16 units; takes no more of `rows` than the statements asked for need. */
export function* eachListStatement(sql: string, rows: Iterable<unknown>, most: number): Generator<Statement> {
  let texts: string[] = [];
  let length = 0;
  for (const row of rows) {
    const text = JSON.stringify(row);
    if (texts.length > 0 && length + text.length > most) {
      yield { sql, args: [`[${texts.join(",")}]`] };
      texts = [];
      length = 0;
    }
    texts.push(text);
    length += text.length + 1;
  }
  if (texts.length > 0) yield { sql, args: [`[${texts.join(",")}]`] };
}
