import { LibsqlError } from "@libsql/client/http";
import type { Database } from "./database.ts";
import type { Statement } from "./statement.ts";
import { isDefinite, LostTransactionError, messageOf, RemoteError } from "./database_errors.ts";

/** The result of one statement, as far as a writer cares. */
type Result = { readonly rowsAffected: number };

/** A transaction of which nobody knows whether it was committed. */
interface Doubt {
  readonly number: number;
  /** What kept us from knowing, most recently. */
  cause: unknown;
  happenedLater: () => void;
}

/**
 * The number of the last commit, kept in the database. Every transaction replaces the number it
 * follows by its own and fails otherwise, so that of several attempts after one commit only one can
 * ever be committed, however late it arrives; and the number tells which.
 */
export class CommitMark {
  readonly #database: Database;
  /** Number of the last commit that is known. */
  #committed: number;
  /** Number of the last attempt; never used twice. */
  #attempt: number;
  #doubt: Doubt | undefined;

  private constructor(database: Database, number: number) {
    this.#database = database;
    this.#committed = this.#attempt = number;
  }

  /** Goes on from the last commit in `database`. */
  static async read(database: Database): Promise<CommitMark> {
    return new CommitMark(database, await readNumber(database));
  }

  /**
   * Runs one transaction. Resolves when it is known to be committed, also if its answer was lost (then
   * without results); rejects when it is known not to be. Third, nobody may know: then it rejects,
   * every later transaction needs {@link clear} first, and that calls `happenedLater` in case.
   */
  async transact(statements: readonly Statement[], happenedLater: () => void): Promise<readonly Result[]> {
    const number = ++this.#attempt;
    try {
      const [, ...results] = await this.#write(number, statements);
      this.#committed = number;
      return results;
    } catch (cause) {
      if (isDefinite(cause)) throw cause;
      const doubt = this.#doubt = { number, cause, happenedLater: () => {} };
      const happened = await this.#settle(doubt).catch(() => {
        doubt.happenedLater = happenedLater;
        const message = `${messageOf(cause)}; whether the change was stored is not known yet`;
        throw cause instanceof RemoteError ? new RemoteError(message, "late", cause) : cause;
      });
      if (happened) return [];
      throw cause;
    }
  }

  /** Finds out what became of a transaction in doubt. Rejects while the database cannot tell. */
  async clear(): Promise<void> {
    if (this.#doubt) await this.#settle(this.#doubt);
  }

  async #write(number: number, statements: readonly Statement[]): Promise<readonly Result[]> {
    const sql = "UPDATE commit_mark SET number = iif(number = ?, ?, NULL)";
    const mark = { sql, args: [BigInt(this.#committed), BigInt(number)] };
    const results = await this.#database.write([mark, ...statements]);
    // A local connection may report what it has not done; a server's answer follows its commit.
    if (!this.#database.isRemote && await readNumber(this.#database) !== number) {
      throw new LostTransactionError("a transaction was reported as committed but is not there");
    }
    return results;
  }

  /** Whether the transaction in doubt was committed. If not, it cannot be any more afterwards. */
  async #settle(doubt: Doubt): Promise<boolean> {
    try {
      await this.#database.recover(doubt.cause);
      this.#committed = await this.#supersede();
    } catch (cause) {
      doubt.cause = cause;
      throw cause;
    }
    this.#doubt = undefined;
    const happened = this.#committed === doubt.number;
    if (happened) doubt.happenedLater();
    return happened;
  }

  /** The number of the last commit, after which no earlier attempt can be committed. */
  async #supersede(): Promise<number> {
    const found = await readNumber(this.#database);
    if (found !== this.#committed) return found;
    const number = ++this.#attempt;
    try {
      await this.#write(number, []);
      return number;
    } catch (cause) {
      // Something was faster: it can only have been one of our own attempts.
      if (!(cause instanceof LibsqlError && cause.code === "SQLITE_CONSTRAINT")) throw cause;
      return await readNumber(this.#database);
    }
  }
}

async function readNumber(database: Database): Promise<number> {
  return Number((await database.read("SELECT number FROM commit_mark")).rows[0]?.[0]);
}
