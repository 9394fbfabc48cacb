/**
 * `deno task bench [--rows a,b] [--json FILE] [--quick] [--write] [--sync-events N]`: measures this program beside peers
 * and floors on this machine, prints a Markdown table. `--write` keeps it in docs/performance.md.
 */
import { parseArgs } from "node:util";
import { busyRow } from "./busy_row.ts";
import { cloneRow, manyClonesRow, warmCloneRow } from "./clone_row.ts";
import { databaseServerRows } from "./database_server_rows.ts";
import { eventRow } from "./event_rows.ts";
import { fetchRow, infoRefsRow, listRow } from "./fetch_row.ts";
import { firstSyncRow } from "./first_sync_row.ts";
import { type GitSite, openGitSite } from "./git_site.ts";
import { huntRow } from "./hunt_row.ts";
import { latencyRow } from "./latency_row.ts";
import { bystandersRow, fanOutRow } from "./live_rows.ts";
import { describeMachine } from "./measure.ts";
import { writePerformancePage } from "./page.ts";
import { pagingRow } from "./paging_row.ts";
import { pushRow } from "./push_row.ts";
import { openRelaySite, type RelaySite } from "./relay_site.ts";
import { requestRow } from "./request_row.ts";
import type { Bench, Row } from "./row.ts";
import { secondSyncRow } from "./second_sync_row.ts";
import { memoryRow, startRow } from "./start_rows.ts";
import { openSyncSite, type SyncSite } from "./sync_site.ts";
import { type Outcome, renderTable } from "./table.ts";

const ROWS: readonly Row[] = [
  eventRow("events", 16),
  eventRow("events1", 1),
  requestRow,
  infoRefsRow,
  listRow,
  fetchRow,
  cloneRow,
  warmCloneRow,
  manyClonesRow,
  pushRow,
  busyRow,
  fanOutRow("fanout", 1_000),
  fanOutRow("fanout10k", 10_000),
  bystandersRow,
  pagingRow,
  startRow,
  memoryRow,
  latencyRow,
  firstSyncRow,
  secondSyncRow,
  huntRow,
  ...databaseServerRows,
];
/** A row that takes longer is reported as failed; what it started is ended with the bench. */
const ROW_DEADLINE_MS = { full: 120_000, quick: 60_000 };
const SYNC_EVENTS = { full: 100_000, quick: 3_000 };

/** Starts sites on demand and ends everything that was started. */
class Workshop implements Bench {
  #relaySite: Promise<RelaySite> | undefined;
  #gitSite: Promise<GitSite> | undefined;
  #syncSite: Promise<SyncSite> | undefined;
  #closing: Promise<void> | undefined;

  constructor(readonly directory: string, readonly quick: boolean, readonly syncEvents: number) {}

  relaySite(): Promise<RelaySite> {
    return this.#relaySite ??= this.newDirectory("relay").then((path) => openRelaySite(path));
  }

  gitSite(): Promise<GitSite> {
    return this.#gitSite ??= this.newDirectory("git").then((path) =>
      openGitSite(path, this.quick ? 1_000 : 5_000)
    );
  }

  syncSite(): Promise<SyncSite> {
    return this.#syncSite ??= this.newDirectory("sync").then((path) => openSyncSite(path, this.syncEvents));
  }

  async newDirectory(name: string): Promise<string> {
    const path = `${this.directory}/${name}`;
    await Deno.mkdir(path, { recursive: true });
    return path;
  }

  /** Ends what was started; safe to call again. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    for (const site of [this.#relaySite, this.#gitSite, this.#syncSite]) {
      await site?.then((opened) => opened.close()).catch((error) => say(`clean-up: ${error}`));
    }
    await Deno.remove(this.directory, { recursive: true });
  }
}

async function outcomeOf(row: Row, bench: Bench): Promise<Outcome> {
  const deadlineMs = bench.quick ? ROW_DEADLINE_MS.quick : row.deadlineMs ?? ROW_DEADLINE_MS.full;
  let timer: number | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${deadlineMs / 1000} s`)), deadlineMs);
  });
  try {
    return await Promise.race([row.measure(bench), late]);
  } catch (error) {
    return { row: row.name, error: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

function say(text: string): void {
  console.error(text);
}

function chosenRows(names: string | undefined): readonly Row[] {
  if (names === undefined) return ROWS;
  return names.split(",").map((name) => {
    const row = ROWS.find((candidate) => candidate.name === name);
    if (!row) throw new Error(`no row ${name}; there are: ${ROWS.map((known) => known.name).join(", ")}`);
    return row;
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      rows: { type: "string" },
      json: { type: "string" },
      quick: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      "sync-events": { type: "string" },
    },
  });
  const syncEvents = Number(values["sync-events"] ?? (values.quick ? SYNC_EVENTS.quick : SYNC_EVENTS.full));
  if (!Number.isSafeInteger(syncEvents) || syncEvents < 100) {
    throw new Error("--sync-events takes a whole number from 100");
  }
  const rows = chosenRows(values.rows);
  const machine = await describeMachine();
  const bench = new Workshop(
    await Deno.makeTempDir({ prefix: "ngit-grasp-bench-" }),
    values.quick,
    syncEvents,
  );
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => void bench.close().finally(() => Deno.exit(130)));
  }
  const outcomes: Outcome[] = [];
  try {
    for (const row of rows) {
      say(`measuring ${row.name} ...`);
      outcomes.push(await outcomeOf(row, bench));
    }
  } finally {
    await bench.close();
  }
  const table = renderTable(outcomes);
  console.log(`${machine.join("\n")}\n\n${table}`);
  console.log("Medians, with the smallest and the largest sample. Ratio above 1: ours is better.");
  if (values.json) {
    await Deno.writeTextFile(values.json, JSON.stringify({ machine, outcomes }, null, 2) + "\n");
  }
  if (values.write) await writePerformancePage(machine, table);
  return outcomes.some((outcome) => "error" in outcome) ? 1 : 0;
}

Deno.exit(await main());
