import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { createMetrics, Jobs, type RegularJob } from "../../lib/observe/mod.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { seriesOf } from "./exposition.ts";
import { RecordingLog } from "./recording_log.ts";

const HOUR = 3_600_000;

/** Jobs on a virtual clock; `draw` is the highest byte of every random number. */
function setup(draw = 0) {
  const clock = new VirtualClock();
  const log = new RecordingLog();
  const metrics = createMetrics({
    version: "0",
    commit: "unknown",
    clock,
    topRepos: 0,
    abuseThreshold: 0,
    log,
  });
  const stop = new AbortController();
  const random = { bytes: (length: number) => new Uint8Array(length).fill(draw) };
  const jobs = new Jobs({ clock, random, metrics: metrics.jobs, log, signal: stop.signal });
  const counted = async () => {
    await clock.advance(1_000);
    const series = seriesOf((await metrics.render()).body);
    const runs = [...series].filter(([name, value]) => name.startsWith("ngit_job_runs_total") && value > 0);
    const sums: Record<string, number> = {};
    for (const [name, value] of runs) {
      const result = /result="(\w+)"/.exec(name)![1]!;
      sums[result] = (sums[result] ?? 0) + value;
    }
    return sums;
  };
  return { clock, log, jobs, stop, counted };
}

function job(run: RegularJob["run"], more: Partial<RegularJob> = {}): RegularJob {
  return { name: "repo_reconcile", everyMs: HOUR, run, ...more };
}

Deno.test("M-41 a job runs at the start when it asks for it, then after each interval, until the signal", async () => {
  const { clock, jobs, stop, counted } = setup();
  let runs = 0;
  await jobs.register(job(() => Promise.resolve(runs++), { atStart: true }));
  strictEqual(runs, 1);
  await jobs.register(job(() => Promise.resolve(runs += 10), { name: "git_fsck" }));
  strictEqual(runs, 1);
  await clock.advance(HOUR);
  strictEqual(runs, 12);
  deepStrictEqual(await counted(), { success: 3 });
  stop.abort();
  await jobs.ended();
  await clock.advance(2 * HOUR);
  strictEqual(runs, 12);
});

Deno.test("a job waits for the end of a run, however long, and hears of the stop", async () => {
  const { clock, jobs, stop } = setup();
  let running = 0;
  let heard = false;
  void jobs.register(job(async (signal) => {
    running++;
    await clock.sleep(10 * HOUR, signal);
    heard = signal.aborted;
  }, { atStart: true }));
  await clock.advance(5 * HOUR);
  strictEqual(running, 1);
  stop.abort();
  await jobs.ended();
  deepStrictEqual([running, heard], [1, true]);
});

Deno.test("a failing job is logged, counted and tried again at its next turn", async () => {
  const { clock, log, jobs, stop, counted } = setup();
  await jobs.register(job(() => Promise.reject(new Error("no such directory")), { atStart: true }));
  deepStrictEqual(await counted(), { failure: 1 });
  await clock.advance(HOUR);
  deepStrictEqual(await counted(), { failure: 2 });
  match(JSON.stringify(log.records[0]), /job failed.*repo_reconcile.*no such directory/);
  stop.abort();
  await jobs.ended();
});

Deno.test("a job that something forbids is left out with a line at DEBUG, and counted as skipped", async () => {
  const { clock, log, jobs, stop, counted } = setup();
  let isFull: string | undefined = "the disk is nearly full";
  let runs = 0;
  const hindrance = () => Promise.resolve(isFull);
  await jobs.register(job(() => Promise.resolve(runs++), { atStart: true, hindrance }));
  strictEqual(runs, 0);
  deepStrictEqual(await counted(), { skipped: 1 });
  match(JSON.stringify(log.records), /^\[\{"level":"debug".*the disk is nearly full/);
  isFull = undefined;
  await clock.advance(HOUR);
  strictEqual(runs, 1);
  stop.abort();
  await jobs.ended();
});

Deno.test("jitter lengthens the wait at random, by at most what the job allows", async () => {
  for (const [draw, runsInTime] of [[0, 1], [255, 0]] as const) {
    const { clock, jobs, stop } = setup(draw);
    let runs = 0;
    await jobs.register(job(() => Promise.resolve(runs++), { jitterMs: HOUR }));
    await clock.advance(HOUR);
    strictEqual(runs, runsInTime);
    await clock.advance(HOUR);
    strictEqual(runs, runsInTime + 1);
    stop.abort();
    await jobs.ended();
  }
});

Deno.test("C-42 a job whose interval is another one since a reload waits as long as that says, from its last run on", async () => {
  const { clock, jobs, stop } = setup();
  let everyMs = 24 * HOUR;
  let runs = 0;
  const changing: RegularJob = {
    name: "git_fsck",
    get everyMs() {
      return everyMs;
    },
    run: () => Promise.resolve(runs++),
  };
  /** Those who wait begin to wait before time passes. */
  const pass = async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve));
    await clock.advance(ms);
  };
  await jobs.register(changing);
  await pass(5 * HOUR);
  everyMs = 6 * HOUR;
  jobs.reschedule();
  await pass(HOUR);
  strictEqual(runs, 1);
  everyMs = Infinity;
  jobs.reschedule();
  await pass(100 * HOUR);
  strictEqual(runs, 1, "switched off");
  everyMs = HOUR;
  jobs.reschedule();
  await pass(1_000);
  strictEqual(runs, 2, "overdue since it was switched on again");
  stop.abort();
  await jobs.ended();
});
