import type { Logger } from "../observe/mod.ts";
import type { Clock } from "../world/mod.ts";
import { CommitMark } from "./commit_mark.ts";
import type { Database } from "./database.ts";
import type { Statement } from "./statement.ts";
import { isDatabaseTrouble, isTransient, messageOf } from "./database_errors.ts";
import { type GroupPlan, planGroup } from "./group_plan.ts";
import { nextTurn } from "./turn.ts";
import type { Changes, CommitListener, InsertVerdict } from "./types.ts";
import { unitSize } from "./unit_size.ts";

/** Most units, and most text in UTF-16 units, that may wait; more are rejected. */
const MAX_WAITING_UNITS = 50_000;
const MAX_WAITING_SIZE = 256 * 1024 * 1024;

/** One unit of work that waits for its transaction. */
interface Unit {
  readonly changes: Changes;
  readonly size: number;
  readonly resolve: (verdicts: readonly InsertVerdict[]) => void;
  readonly reject: (cause: unknown) => void;
}

/** Statements of the store's own upkeep, in a transaction by themselves. */
interface Upkeep {
  readonly statements: readonly Statement[];
  readonly resolve: (rowsAffected: number) => void;
  readonly reject: (cause: unknown) => void;
}

/** What the writer needs. */
export interface WriterOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  /** Appended to every transaction that inserts events. */
  readonly afterInsert?: Statement;
}

/**
 * The only one who writes. Units submitted in one turn of the event loop share a transaction (group
 * commit), and so do those that arrive while one is being written; a unit larger than a transaction
 * should be goes alone. What counts as committed is the {@link CommitMark}'s business.
 */
export class Writer {
  readonly #options: WriterOptions;
  readonly #listeners = new Set<CommitListener>();
  #queue: (Unit | Upkeep)[] = [];
  #waitingSize = 0;
  readonly #mark: CommitMark;
  #working: Promise<void> | undefined;
  #closed = false;

  private constructor(options: WriterOptions, mark: CommitMark) {
    this.#options = options;
    this.#mark = mark;
  }

  /** A writer that goes on from the last commit in the database. */
  static async create(options: WriterOptions): Promise<Writer> {
    return new Writer(options, await CommitMark.read(options.database));
  }

  /** See `Store.watch`. */
  watch(listener: CommitListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Queues a unit of work; see `Store.commit`. */
  submit(changes: Changes): Promise<readonly InsertVerdict[]> {
    return new Promise((resolve, reject) => {
      const size = unitSize(changes);
      if (this.#queue.length >= MAX_WAITING_UNITS || this.#waitingSize + size > MAX_WAITING_SIZE) {
        throw new Error("too many changes wait for the database");
      }
      this.#enqueue({ changes, size, resolve, reject });
    });
  }

  /** Queues statements as a transaction of their own; resolves to the rows they affected together. */
  run(statements: readonly Statement[]): Promise<number> {
    return new Promise((resolve, reject) => this.#enqueue({ statements, resolve, reject }));
  }

  /** Refuses new work and resolves when what was queued is done. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#working;
  }

  #enqueue(job: Unit | Upkeep): void {
    if (this.#closed) throw new Error("the store is closed");
    this.#queue.push(job);
    if ("size" in job) this.#waitingSize += job.size;
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      await nextTurn();
      const first = this.#queue[0]!;
      if ("statements" in first) {
        this.#queue.shift();
        await this.#runUpkeep(first);
      } else {
        await this.#settle(this.#takeGroup());
      }
    }
    this.#working = undefined;
  }

  #takeGroup(): Unit[] {
    const group: Unit[] = [];
    let size = 0;
    const { groupUnits, transactionSize } = this.#options.database.bounds;
    for (const job of this.#queue) {
      const full = group.length === groupUnits || "statements" in job ||
        (group.length > 0 && size + job.size > transactionSize);
      if (full) break;
      group.push(job);
      size += job.size;
    }
    this.#queue = this.#queue.slice(group.length);
    this.#waitingSize -= size;
    return group;
  }

  async #runUpkeep({ statements, resolve, reject }: Upkeep): Promise<void> {
    try {
      await this.#mark.clear();
      const results = await this.#transact(statements);
      resolve(results.reduce((sum, { rowsAffected }) => sum + rowsAffected, 0));
    } catch (cause) {
      reject(cause);
    }
  }

  async #settle(units: readonly Unit[]): Promise<void> {
    try {
      const verdicts = await this.#apply(units.map(({ changes }) => changes));
      units.forEach((unit, index) => {
        this.#tell(unit.changes, verdicts[index]!);
        unit.resolve(verdicts[index]!);
      });
    } catch (cause) {
      const alone = units.length === 1 || isDatabaseTrouble(cause);
      this.#options.log.error("a transaction failed", {
        cause: messageOf(cause),
        units: units.length,
      });
      if (alone) return units.forEach((unit) => unit.reject(cause));
      // One bad unit must not take its neighbours along.
      for (const unit of units) await this.#settle([unit]);
    }
  }

  /** What is committed stays so, whatever a listener makes of it. */
  #tell(changes: Changes, verdicts: readonly InsertVerdict[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(changes, verdicts);
      } catch (error) {
        this.#options.log.error("a commit could not be followed", { error: String(error) });
      }
    }
  }

  async #apply(units: readonly Changes[]): Promise<GroupPlan["verdicts"]> {
    const { database, clock, afterInsert } = this.#options;
    // What is unknown of an earlier transaction must be known before anything is planned on top of it.
    await this.#mark.clear();
    const plan = async () => await planGroup(database, units, clock.now());
    let { verdicts, statements } = await plan();
    if (statements.length === 0) return verdicts;
    await this.#transact(statements, {
      planAnew: async () => {
        ({ verdicts, statements } = await plan());
        return statements;
      },
      last: units.some((unit) => unit.insertEvents?.length) ? afterInsert : undefined,
      happenedLater: () => units.forEach((unit, index) => this.#tell(unit, verdicts[index]!)),
    });
    return verdicts;
  }

  /** One transaction; when another connection stood in the way, it is planned anew and tried once more. */
  async #transact(
    statements: readonly Statement[],
    { planAnew, last, happenedLater = () => {} }: TransactOptions = {},
  ): Promise<readonly { readonly rowsAffected: number }[]> {
    const complete = (body: readonly Statement[]) => last ? [...body, last] : body;
    try {
      return await this.#mark.transact(complete(statements), happenedLater);
    } catch (cause) {
      if (!isTransient(cause)) throw cause;
      const again = planAnew ? await planAnew() : statements;
      return await this.#mark.transact(complete(again), happenedLater);
    }
  }
}

/** What a transaction may need beside its statements. */
interface TransactOptions {
  /** Decides once more what is to be done. */
  readonly planAnew?: () => Promise<readonly Statement[]>;
  /** Appended to the statements. */
  readonly last?: Statement | undefined;
  /** Called when a transaction that was given up turns out to have been committed. */
  readonly happenedLater?: () => void;
}
