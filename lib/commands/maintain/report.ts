import type { Config } from "../../config/mod.ts";
import { type DiskReport, diskReport, type ReportedRepository } from "../../maintenance/mod.ts";
import { curationRules } from "../../policy/mod.ts";
import { StoredData } from "../../store/mod.ts";
import { systemClock } from "../../world/mod.ts";
import { commandLog } from "../command_log.ts";
import { dataPaths } from "../data_paths.ts";
import { type CommandCall, print } from "../subcommand.ts";
import { withReading } from "./beside.ts";

/** Owners and repositories named in the text; JSON names all. */
const SHOWN = 20;

/** Runs `maintain report`, beside a running server or not. Exit code 1 when a repository is damaged. */
export async function printReport(
  config: Config,
  call: CommandCall,
  asJson: boolean,
  signal: AbortSignal,
): Promise<number> {
  const { database } = dataPaths(config, call.input.cwd);
  const data = await StoredData.open({ ...database, clock: systemClock, log: commandLog() });
  try {
    const rules = curationRules(config);
    const report = await withReading(config, call, signal, (parts) => diskReport(parts, data, rules));
    print(asJson ? JSON.stringify(report) : reportText(report));
    return report.repositories.some(({ damage }) => damage !== undefined) ? 1 : 0;
  } finally {
    data.close();
  }
}

/** The report as text for people. */
export function reportText(report: DiskReport): string {
  const { repositories, owners, missing, jobs } = report;
  const kinds: [string, (repository: ReportedRepository) => boolean][] = [
    ["orphans (nobody announced them)", ({ standing }) => standing === "orphan"],
    ["empty", ({ content, standing }) => content === "empty" && standing !== "waiting"],
    ["could not be looked at", ({ content }) => content === "unknown"],
  ];
  return [
    `${repositories.length} repositories, ${size(report.bytes)}`,
    "",
    ...section(
      "owners",
      owners,
      ({ npub, repositories, bytes }) =>
        `${size(bytes).padStart(10)}  ${String(repositories).padStart(5)}  ${npub}`,
    ),
    ...section(
      "largest repositories",
      repositories,
      (each) => `${size(each.bytes).padStart(10)}  ${nameOf(each)}${timesOf(each)}`,
    ),
    ...kinds.flatMap(([title, test]) =>
      section(title, repositories.filter(test), (each) => `${nameOf(each)} ${size(each.bytes)}`)
    ),
    ...section("announced, but not on this disk", missing, nameOf),
    ...section("damaged (still served)", repositories.filter(({ damage }) => damage !== undefined), damageOf),
    ...section(
      "jobs",
      jobs,
      ({ job, at, succeededAt, text }) =>
        `${time(at)}  ${succeededAt === at ? "ok    " : "FAILED"}  ${job}: ${text}`,
    ),
  ].join("\n").trimEnd();
}

function section<T>(title: string, rows: readonly T[], line: (row: T) => string): string[] {
  if (rows.length === 0) return [];
  const rest = rows.length - SHOWN;
  return [
    `${title} (${rows.length})`,
    ...rows.slice(0, SHOWN).map((row) => `  ${line(row)}`),
    ...(rest > 0 ? [`  and ${rest} more; --format json names all`] : []),
    "",
  ];
}

function damageOf(repository: ReportedRepository): string {
  const { damage, copies = [], checkedAt } = repository;
  const remedy = copies.length > 0
    ? `docs/maintain.md says how to fetch it again from ${copies.join(" or ")}`
    : "no other server is named; restore it from a backup";
  return `${nameOf(repository)}: ${damage}\n    found ${time(checkedAt ?? 0)}; ${remedy}`;
}

function timesOf({ maintainedAt, checkedAt }: ReportedRepository): string {
  const parts = [
    maintainedAt === undefined ? "" : `maintained ${time(maintainedAt)}`,
    checkedAt === undefined ? "" : `checked ${time(checkedAt)}`,
  ].filter((text) => text !== "");
  return parts.length > 0 ? `  (${parts.join(", ")})` : "";
}

function nameOf({ npub, identifier }: { readonly npub: string; readonly identifier: string }): string {
  return `${npub}/${identifier}`;
}

function time(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}

function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** step;
  return `${step === 0 ? value : value.toFixed(1)} ${units[step]}`;
}
