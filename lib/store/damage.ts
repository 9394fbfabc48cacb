import type { Row } from "@libsql/client";
import type { Clock } from "../world/mod.ts";
import { nextTurn } from "./turn.ts";

/** For reading all pages of a database file. */
const DEADLINE_MS = 3_600_000;

/** What a thread found; `damage` is undefined when nothing is wrong. */
export type DamageReply = { readonly damage: string | undefined } | { readonly problem: string };

/**
 * Reads all pages through `rows`, one table after the other; undefined when nothing is wrong, else what.
 * One table is one statement: nothing else happens in its thread meanwhile.
 */
export async function damageOf(rows: (sql: string) => Promise<readonly Row[]>): Promise<string | undefined> {
  for (const { name } of await rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")) {
    const found = await rows(`PRAGMA quick_check('${String(name).replaceAll("'", "''")}')`);
    const verdict = String(found[0]?.[0] ?? "no answer");
    if (verdict !== "ok") return `table ${name}: ${verdict}`;
    await nextTurn();
  }
  return undefined;
}

/**
 * The same for the database in the file `path`, in a thread with a connection of its own, so that the event
 * loop goes on. "unable" where no such thread can work. Rejects with what keeps it from reading, and when
 * `signal` aborts.
 */
export async function damageOfFile(
  path: string,
  clock: Clock,
  signal: AbortSignal,
  url = new URL("./damage_worker.ts", import.meta.url),
): Promise<string | undefined | "unable"> {
  const reply = Promise.withResolvers<DamageReply | "unable">();
  const over = new AbortController();
  const stop = () => reply.reject(new Error("the check of the database was stopped"));
  const worker = new Worker(url, { type: "module" });
  worker.onmessage = ({ data }: MessageEvent<DamageReply>) => reply.resolve(data);
  worker.onerror = (event) => {
    event.preventDefault(); // otherwise the error ends the process
    reply.resolve("unable");
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  void clock.sleep(DEADLINE_MS, over.signal).then(stop);
  try {
    worker.postMessage(path);
    const found = await reply.promise;
    if (found === "unable" || "damage" in found) return found === "unable" ? found : found.damage;
    throw new Error(found.problem);
  } finally {
    over.abort();
    signal.removeEventListener("abort", stop);
    worker.terminate();
  }
}
