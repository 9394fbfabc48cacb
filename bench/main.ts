/**
 * `deno task bench [--rows a,b] [--json FILE] [--quick] [--write] [--sync-events N] [--peer none]
 * [--peer-url URL --peer-repo PATH]`: measures this program beside peers and floors on this machine, prints Markdown
 * tables of rows and goals. `--write` keeps them in docs/performance.md.
 */
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { busyRow } from "./busy_row.ts";
import { cloneRow, manyClonesRow, warmCloneRows } from "./clone_row.ts";
import { databaseServerRows } from "./database_server_rows.ts";
import { eventRow } from "./event_rows.ts";
import { fetchRow, infoRefsRow, listRow, manyRefsRows } from "./fetch_row.ts";
import { firstSyncRow } from "./first_sync_row.ts";
import { bystandersRow, storedRow } from "./flat_rows.ts";
import { renderGoals } from "./goals.ts";
import { huntRow } from "./hunt_row.ts";
import { largeCloneRows } from "./large_clone_rows.ts";
import { largePushRow } from "./large_push_row.ts";
import { latencyRow } from "./latency_row.ts";
import { fanOutRow } from "./live_rows.ts";
import { loopRow } from "./loop_row.ts";
import { describeMachine, secondsOf } from "./measure.ts";
import { type Report, writePerformancePage } from "./page.ts";
import { pagingRow } from "./paging_row.ts";
import { parsePeerChoice } from "./peer_choice.ts";
import { pushRow } from "./push_row.ts";
import { requestRow } from "./request_row.ts";
import type { Bench, Row } from "./row.ts";
import { secondSyncRow } from "./second_sync_row.ts";
import { memoryRow, startRow } from "./start_rows.ts";
import { type Outcome, renderDurations, renderTable } from "./table.ts";
import { Workshop } from "./workshop.ts";

const ROWS: readonly Row[] = [
  eventRow("events", 16),
  eventRow("events1", 1),
  requestRow,
  infoRefsRow,
  listRow,
  fetchRow,
  cloneRow,
  ...warmCloneRows,
  manyClonesRow,
  pushRow,
  ...manyRefsRows,
  ...largeCloneRows,
  largePushRow,
  busyRow,
  fanOutRow("fanout", 1_000),
  fanOutRow("fanout10k", 10_000),
  bystandersRow,
  storedRow,
  pagingRow,
  startRow,
  memoryRow,
  latencyRow,
  loopRow,
  firstSyncRow,
  secondSyncRow,
  huntRow,
  ...databaseServerRows,
];
/** A row that takes longer is reported as failed; what it started is ended with the bench. */
const ROW_DEADLINE_MS = { full: 120_000, quick: 60_000 };
const SYNC_EVENTS = { full: 20_000, quick: 3_000 };

async function outcomeOf(row: Row, bench: Bench): Promise<Outcome> {
  const deadlineMs = bench.quick ? ROW_DEADLINE_MS.quick : row.deadlineMs ?? ROW_DEADLINE_MS.full;
  const deadline = new AbortController();
  const late = new Promise<never>((_, reject) => {
    deadline.signal.addEventListener("abort", () => reject(deadline.signal.reason));
  });
  const reason = new Error(`not done after ${deadlineMs / 1000} s`);
  const timer = setTimeout(() => deadline.abort(reason), deadlineMs);
  try {
    return await Promise.race([row.measure(bench, deadline.signal), late]);
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

function say(text: string): void {
  console.error(text);
}

function chosenRows(names: string | undefined): readonly Row[] {
  if (names === undefined) return ROWS;
  const chosen = new Set(names.split(","));
  const known = ROWS.map(({ name }) => name);
  const unknown = [...chosen].find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`no row ${unknown}; there are: ${known.join(", ")}`);
  return ROWS.filter(({ name }) => chosen.has(name));
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
      peer: { type: "string" },
      "peer-url": { type: "string" },
      "peer-repo": { type: "string" },
    },
  });
  const syncEvents = Number(values["sync-events"] ?? (values.quick ? SYNC_EVENTS.quick : SYNC_EVENTS.full));
  if (!Number.isSafeInteger(syncEvents) || syncEvents < 100) {
    throw new Error("--sync-events takes a whole number from 100");
  }
  const rows = chosenRows(values.rows);
  const peer = parsePeerChoice({
    peer: values.peer,
    url: values["peer-url"],
    repository: values["peer-repo"],
  });
  const machine = await describeMachine();
  const directory = await Deno.makeTempDir({ prefix: "ngit-grasp-bench-" });
  const cache = `${dirname(directory)}/ngit-grasp-bench-samples`;
  const bench = new Workshop({ directory, cache, quick: values.quick, syncEvents, peer, say });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => void bench.close().finally(() => Deno.exit(130)));
  }
  const outcomes = new Map<string, Outcome>();
  const seconds: Record<string, number> = {};
  try {
    for (const row of rows) {
      say(`measuring ${row.name} ...`);
      const took = await secondsOf(async () => outcomes.set(row.name, await outcomeOf(row, bench)));
      seconds[row.name] = took;
      say(`  ${took.toFixed(1)} s`);
    }
  } finally {
    await bench.close();
  }
  const report: Report = {
    machine,
    command: ["deno task bench", ...Deno.args].join(" "),
    table: renderTable(outcomes),
    goals: (values.quick ? "From a quick run, with smaller samples than the goals are about.\n\n" : "") +
      renderGoals(outcomes),
    rows: ROWS.map(({ name }) => name),
    took: renderDurations(seconds),
  };
  console.log(`${machine.join("\n")}\n\n${report.table}`);
  console.log("Medians, with the smallest and the largest sample. Ratio above 1: ours is better.\n");
  console.log(`${report.goals}\n${report.took}`);
  if (values.json) {
    const named = Object.fromEntries(
      [...outcomes].map(([name, outcome]) => [name, { ...outcome, seconds: seconds[name] }]),
    );
    const kept = { machine, command: report.command, rows: named };
    await Deno.writeTextFile(values.json, JSON.stringify(kept, null, 2) + "\n");
  }
  if (values.write) await writePerformancePage(report);
  return [...outcomes.values()].some((outcome) => "error" in outcome) ? 1 : 0;
}

Deno.exit(await main());
