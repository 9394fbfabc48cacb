import assert from "node:assert/strict";
import { isMaintenanceJob, JOBS, Maintenance, runAndRecord } from "../../lib/maintenance/mod.ts";
import { createMetrics } from "../../lib/observe/mod.ts";
import { createGit, markBackup } from "../../lib/git/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { pretendGit } from "../git/pretend_git.ts";
import { newWorkTree } from "../support/git_client.ts";
import { runJobs } from "../support/jobs.ts";
import { silentLog } from "../support/silent_log.ts";
import { eventually } from "../support/temp.ts";
import { serve, site, someone } from "./support.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const SETTINGS = { auditAgeMs: 2 * HOUR_MS, retentionMs: 90 * DAY_MS, fsckMs: 30 * DAY_MS };
const REGULAR = { ...SETTINGS, auditEveryMs: HOUR_MS / 2, gitMaintenanceEveryMs: DAY_MS };
const free = () => Promise.resolve(undefined);

Deno.test("M-41 every job runs on demand, and how it ended reaches the metrics of the next start", () =>
  site(
    async (place) => {
      const { directory, maintenance, store, clock } = place;
      await serve(place, someone(), "any", await newWorkTree(`${directory}/work`));
      const metrics = createMetrics({
        version: "0",
        commit: "0",
        clock,
        topRepos: 1,
        abuseThreshold: 1,
        logIp: "none",
        log: silentLog,
      });
      for (const name of Object.keys(JOBS)) {
        assert.ok(isMaintenanceJob(name));
        assert.equal((await runAndRecord(maintenance, name, SETTINGS, true)).failures, 0, name);
      }
      for (const { job, succeededAt } of await store.jobRuns()) {
        if (isMaintenanceJob(job)) metrics.jobs.succeededBefore(job, succeededAt);
      }
      const { body } = await metrics.render();
      const seen = [...body.matchAll(/^ngit_job_last_success_timestamp_seconds\{job="(\w+)"\} (\d+)/gm)];
      assert.deepEqual(seen.map(([, job]) => job).sort(), Object.keys(JOBS).sort());
      for (const [, , at] of seen) assert.equal(Number(at), Math.floor(clock.now() / 1000));
    },
    {},
    { contributions: {} },
  ));

Deno.test("a run that failed keeps the time of the last success", () =>
  site(async (place) => {
    const { directory, maintenance, store, clock } = place;
    await runAndRecord(maintenance, "git_maintenance", SETTINGS, true);
    const succeededAt = clock.now();
    await clock.advance(DAY_MS);
    await serve(place, someone(), "any", await newWorkTree(`${directory}/work`));
    const git = await createGit({
      binary: await pretendGit(directory, "exit 1"),
      homePath: `${directory}/home`,
      clock: systemClock,
      limits: { maxPushBytes: 0 },
    });
    const outcome = await runAndRecord({ ...maintenance, git }, "git_maintenance", SETTINGS, true);
    assert.equal(outcome.failures, 1);
    const run = (await store.jobRuns()).find(({ job }) => job === "git_maintenance")!;
    assert.deepEqual([run.succeededAt, run.at, run.text], [
      succeededAt,
      clock.now(),
      "0 packed, 0 pruned, 1 failed",
    ]);
  }));

Deno.test("regular jobs go by when they last ran, not by the start; what is switched off never runs", () =>
  site(async ({ maintenance, store, clock }) => {
    const jobsOf = async (settings: typeof REGULAR | { [key: string]: number | undefined }) =>
      new Map(
        new Maintenance(maintenance, { ...REGULAR, ...settings }, free).jobs(await store.jobRuns())
          .map((job) => [job.name, job]),
      );
    assert.equal((await jobsOf({})).get("git_maintenance")!.firstMs, 600_000, "never ran: soon");
    await runAndRecord(maintenance, "git_maintenance", SETTINGS, true);
    await clock.advance(20 * HOUR_MS);
    assert.equal((await jobsOf({})).get("git_maintenance")!.firstMs, 4 * HOUR_MS);
    await clock.advance(20 * HOUR_MS);
    assert.equal((await jobsOf({})).get("git_maintenance")!.firstMs, 600_000, "overdue");
    const off = await jobsOf({ auditEveryMs: undefined, gitMaintenanceEveryMs: undefined, fsckMs: 0 });
    const waits = [...off.values()].map(({ name, everyMs, firstMs }) => [name, everyMs, firstMs]);
    assert.deepEqual(
      waits.filter(([, ...both]) => both.every((ms) => ms === Infinity)).map(([name]) => name),
      [
        "audit_cleanup",
        "git_maintenance",
        "git_fsck",
      ],
    );
  }));

Deno.test("a running server maintains itself, and heavy work waits while the disk is full", () =>
  site(async (place) => {
    const { directory, maintenance, store, clock, stop } = place;
    await serve(place, someone(), "any", await newWorkTree(`${directory}/work`));
    let obstacle: string | undefined = "the disk is nearly full";
    const running = new Maintenance(maintenance, REGULAR, () => Promise.resolve(obstacle));
    const jobs = runJobs(running.jobs(await store.jobRuns()), clock, stop.signal);
    const hasRun = async (...names: string[]) => {
      const ran = new Set((await store.jobRuns()).map(({ job }) => job));
      return names.every((name) => ran.has(name));
    };
    await eventually("the jobs of a start ran", async () => {
      await clock.advance(1_000);
      return await hasRun("audit_cleanup", "repo_reconcile") && running.candidates !== undefined;
    });
    assert.deepEqual(running.candidates, { event_without_data: 0, empty_orphan: 0, nonempty_orphan: 0 });
    await eventually("the database was maintained", async () => {
      await clock.advance(HOUR_MS / 4);
      return await hasRun("db_maintenance");
    });
    assert.ok(!await hasRun("git_maintenance") && !await hasRun("git_fsck"));
    obstacle = undefined;
    const end = await markBackup(maintenance.repositories.root, clock);
    const since = clock.now();
    await eventually("a check ran", async () => {
      await clock.advance(60_000);
      return await hasRun("git_fsck");
    });
    assert.ok(clock.now() - since < HOUR_MS, "what was left out is not left out for a day");
    assert.ok(!await hasRun("git_maintenance"), "a backup is being made");
    const asked = await runAndRecord(maintenance, "git_maintenance", SETTINGS, true);
    assert.deepEqual([asked.failures, asked.text], [1, "not done: a backup is being made"]);
    await end!();
    await eventually("git maintenance ran", async () => {
      await clock.advance(60_000);
      return (await store.jobRuns()).some(({ job, succeededAt }) =>
        job === "git_maintenance" && succeededAt > 0
      );
    });
    assert.ok(clock.now() - since < 2 * HOUR_MS);
    assert.equal(await running.fsckFailures(), 0);
    stop.abort();
    await jobs.ended();
  }));
