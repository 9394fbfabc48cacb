import assert from "node:assert/strict";
import { LibsqlError } from "@libsql/client/http";
import Libsql from "libsql";
import { LocalClient } from "../../lib/store/local_client.ts";
import type { SqlValue } from "../../lib/store/statement.ts";

async function withClient(work: (client: LocalClient) => Promise<void>): Promise<void> {
  const client = new LocalClient(new Libsql(":memory:"));
  try {
    await work(client);
  } finally {
    client.close();
  }
}

async function rowsOf(client: LocalClient, sql: string, ...args: SqlValue[]): Promise<unknown[][]> {
  const { rows } = await client.execute({ sql, args });
  return rows.map((row) => Array.from({ length: row.length }, (_, index) => row[index]));
}

Deno.test("a statement gives right answers each time it is used, also when it was forgotten meanwhile", () =>
  withClient(async (client) => {
    await rowsOf(client, "CREATE TABLE t (a INTEGER, b TEXT)");
    for (let n = 1; n <= 250; n++) {
      await rowsOf(client, "INSERT INTO t VALUES (?, ?)", BigInt(n), `text ${n}`);
      assert.deepEqual(await rowsOf(client, `SELECT a + ${n} FROM t WHERE b = ?`, `text ${n}`), [[2 * n]]);
      assert.deepEqual(await rowsOf(client, "SELECT count(*), sum(a) FROM t"), [[n, n * (n + 1) / 2]]);
    }
    const all = await rowsOf(client, "SELECT a FROM t ORDER BY a");
    assert.deepEqual(all.flat(), Array.from({ length: 250 }, (_, index) => index + 1));
  }));

Deno.test("values come by number and by name; a number that would lose digits is an error", () =>
  withClient(async (client) => {
    const sql = "SELECT ?1 AS text, ?2 AS number, NULL AS missing, x'0102' AS bytes";
    const row = (await client.execute({ sql, args: ["a b", 2n ** 53n - 1n] })).rows[0]!;
    assert.deepEqual([row.text, row.number, row.missing], ["a b", 2 ** 53 - 1, null]);
    assert.deepEqual([row[0], row[1], row[2], row.length], ["a b", 2 ** 53 - 1, null, 4]);
    assert.deepEqual(new Uint8Array(row.bytes as ArrayBuffer), Uint8Array.of(1, 2));
    await assert.rejects(client.execute({ sql: "SELECT ?", args: [2n ** 53n] }), /too large for a number/);
    assert.deepEqual(await rowsOf(client, "SELECT ?", 7n), [[7]]);
  }));

Deno.test("a batch that fails is rolled back, and the statements of it work afterwards", () =>
  withClient(async (client) => {
    await rowsOf(client, "CREATE TABLE t (a INTEGER UNIQUE)");
    const insert = (value: bigint) => ({ sql: "INSERT INTO t VALUES (?)", args: [value] });
    for (let round = 0; round < 3; round++) {
      await assert.rejects(client.batch([insert(1n), insert(2n), insert(1n)], "write"), {
        name: "LibsqlError",
        code: "SQLITE_CONSTRAINT",
        extendedCode: "SQLITE_CONSTRAINT_UNIQUE",
      });
      assert.deepEqual(await rowsOf(client, "SELECT a FROM t"), []);
    }
    const results = await client.batch([insert(1n), { sql: "UPDATE t SET a = 5", args: [] }], "write");
    assert.deepEqual(results.map(({ rowsAffected }) => rowsAffected), [1, 1]);
    assert.deepEqual(await rowsOf(client, "SELECT a FROM t"), [[5]]);
  }));

Deno.test("a statement that failed on its way, reading or writing, stands in the way of no later transaction", () =>
  withClient(async (client) => {
    await rowsOf(client, "CREATE TABLE t (a INTEGER UNIQUE)");
    const fill = { sql: "INSERT INTO t SELECT value FROM json_each(?)", args: ["[1, 2]"] };
    const overflow = "SELECT abs(value - 1) FROM json_each(?)";
    for (let round = 0; round < 3; round++) {
      await assert.rejects(rowsOf(client, overflow, "[1, 2, -9223372036854775807]"), /integer overflow/);
      await assert.rejects(client.batch([fill, { ...fill, args: ["[3, 4, 1, 5]"] }], "write"), /UNIQUE/);
      await client.batch([fill], "write");
      assert.deepEqual(await rowsOf(client, "SELECT a FROM t"), [[1], [2]]);
      await client.batch([{ sql: "DELETE FROM t", args: [] }], "write");
      assert.deepEqual(await rowsOf(client, overflow, "[1, 2]"), [[0], [1]]);
    }
    // As many rows as the driver hands over at once, and twice as many.
    for (const count of [100, 200, 100]) {
      const list = JSON.stringify(Array.from({ length: count }, (_, index) => index));
      assert.equal((await rowsOf(client, "SELECT value FROM json_each(?)", list)).length, count);
      await client.batch([fill, { sql: "DELETE FROM t", args: [] }], "write");
    }
  }));

Deno.test("a statement that cannot be prepared, and one on a closed connection, are errors of the database", () =>
  withClient(async (client) => {
    const failure = (code: string) => (error: unknown) => error instanceof LibsqlError && error.code === code;
    await assert.rejects(rowsOf(client, "SELECT nothing FROM nowhere"), failure("SQLITE_ERROR"));
    client.close();
    await assert.rejects(rowsOf(client, "SELECT 1"), failure("CLIENT_CLOSED"));
    await assert.rejects(client.batch([], "write"), failure("CLIENT_CLOSED"));
  }));
