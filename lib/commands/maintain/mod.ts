/** `maintain`: runs a job of the server on demand, reports on the disk, or compares with another server. */
import type { Config } from "../../config/mod.ts";
import { isMaintenanceJob, JOBS, type MaintenanceJob, runAndRecord } from "../../maintenance/mod.ts";
import { compare } from "../compare/mod.ts";
import { DataInUse, stopSignal, withOfflineData } from "../offline.ts";
import { type CommandCall, configFor, print, printError } from "../subcommand.ts";
import { fsckBeside } from "./beside.ts";
import { printReport } from "./report.ts";

const DAY_MS = 86_400_000;

/** Runs `maintain [JOB]`; exit code 1 when it failed, in part or because the server runs. */
export async function maintain(call: CommandCall): Promise<number> {
  const [name] = call.words;
  if (name === undefined) {
    print(`Jobs:\n${jobList()}`);
    return 0;
  }
  if (name === "compare") return await compare(call);
  const asJson = call.own.get("--format") === "json";
  if (call.own.has("--with")) {
    printError("error: --with belongs to `maintain compare`");
    return 2;
  }
  if (name !== "report" && !isMaintenanceJob(name)) {
    printError(`error: there is no job '${name}'; there are:\n${jobList()}`);
    return 2;
  }
  const config = await configFor(call);
  if (typeof config === "number") return config;
  const stop = stopSignal();
  try {
    if (name === "report") return await printReport(config, call, asJson, stop.signal);
    return await runJob(config, call, name, asJson, stop.signal);
  } catch (error) {
    printError(`error: ${error instanceof Error ? error.message : error}`);
    return 1;
  } finally {
    stop.ignore();
  }
}

async function runJob(
  config: Config,
  call: CommandCall,
  name: MaintenanceJob,
  asJson: boolean,
  signal: AbortSignal,
): Promise<number> {
  const settings = {
    auditAgeMs: config.auditCleanupAgeSecs * 1000,
    retentionMs: config.deletedRepoRetentionSecs * 1000,
    fsckMs: config.gitFsckIntervalDays * DAY_MS,
  };
  try {
    return await withOfflineData(config, call, signal, async (parts) => {
      const { text, failures, damaged } = { damaged: 0, ...await runAndRecord(parts, name, settings, true) };
      const ok = failures === 0 && damaged === 0 && !signal.aborted;
      print(asJson ? JSON.stringify({ job: name, ok, text }) : `${name}: ${text}`);
      if (signal.aborted) printError("stopped before the end");
      return ok ? 0 : 1;
    });
  } catch (error) {
    if (!(error instanceof DataInUse)) throw error;
    if (name === "git_fsck") return await fsckBeside(config, call, asJson, signal);
    throw new Error(`${error.message}; the server runs this job by itself, or stop it first`);
  }
}

function jobList(): string {
  const rows: [string, string][] = [
    ["report", "what fills the disk, and how the repositories are"],
    ["compare", "with another server: which repositories are whole here, there, nowhere"],
    ...Object.entries(JOBS).map(([name, { summary }]): [string, string] => [name, summary]),
  ];
  return rows.map(([name, summary]) => `  ${name.padEnd(18)}${summary}`).join("\n");
}
