import {
  type Client,
  createClient,
  LibsqlError,
  type ResultSet,
  type Transaction,
} from "@libsql/client/http";
import type { Clock } from "../world/mod.ts";
import type { DatabaseClient, Statement, StatementResult } from "./statement.ts";
import { type Fetch, RemoteFetch } from "./remote_fetch.ts";

/** How to reach a remote database. */
export interface RemoteOptions {
  /** May read and write; undefined for a server that asks nobody. */
  readonly authToken?: string | undefined;
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** Longest time for one request, in milliseconds. */
  readonly timeoutMs: number;
}

/** Rows fetched at once when an answer was too large; fewer when it still is. */
const MAX_PAGE_ROWS = 256;

/**
 * A client of the libSQL server at `url` (`libsql:`, `http:` or `https:`). Each statement and each
 * batch is one request, which the server executes to its end or not at all.
 */
export function connectRemotely(url: string, options: RemoteOptions): Client {
  const { authToken, fetch, clock, timeoutMs } = options;
  const base = url.replace(/^libsql:/, "https:");
  const remote = new RemoteFetch({ url: base, fetch, clock, timeoutMs });
  return createClient({
    url: base,
    // The number of requests under way is limited where their deadlines are.
    concurrency: Number.MAX_SAFE_INTEGER,
    fetch: (request: Request) => remote.send(request),
    ...(authToken !== undefined && { authToken }),
  });
}

/**
 * The results of reading statements on one snapshot: in one answer, or in as many as it takes when that
 * is more than a server puts into one. For local clients too, which know no such bound.
 */
export async function readAll(
  client: DatabaseClient | Client,
  statements: readonly Statement[],
): Promise<readonly StatementResult[]> {
  const wanted = statements.map(({ sql, args }) => ({ sql, args: [...args] }));
  try {
    // A single statement has its own snapshot.
    return wanted.length === 1 ? [await client.execute(wanted[0]!)] : await client.batch(wanted, "deferred");
  } catch (cause) {
    if (!isTooLarge(cause) || !("transaction" in client)) throw cause;
    return await readInPages(client, statements);
  }
}

function isTooLarge(cause: unknown): boolean {
  return cause instanceof LibsqlError && cause.code === "RESPONSE_TOO_LARGE";
}

async function readInPages(client: Client, statements: readonly Statement[]): Promise<readonly ResultSet[]> {
  for (let size = MAX_PAGE_ROWS;; size = Math.ceil(size / 8)) {
    const transaction = await client.transaction("read");
    try {
      const results: ResultSet[] = [];
      for (const statement of statements) results.push(await pagesOf(transaction, statement, size));
      return results;
    } catch (cause) {
      // An answer that is too large ends the transaction.
      if (!isTooLarge(cause) || size === 1) throw cause;
    } finally {
      transaction.close();
    }
  }
}

async function pagesOf(transaction: Transaction, { sql, args }: Statement, size: number): Promise<ResultSet> {
  const rows: ResultSet["rows"] = [];
  for (;;) {
    // The order of a subquery is kept by a query that adds none.
    const page = `SELECT * FROM (${sql}) LIMIT ${size} OFFSET ${rows.length}`;
    const result = await transaction.execute({ sql: page, args: [...args] });
    for (const row of result.rows) rows.push(row);
    if (result.rows.length < size) return { ...result, rows };
  }
}
