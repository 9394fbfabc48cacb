/** `restore-check`: says whether a backup, or the live data, is whole. */
import { resolve } from "node:path";
import { type Config, formatAddress } from "../../config/mod.ts";
import { OwnAddresses } from "../../outgoing/mod.ts";
import { systemClock } from "../../world/mod.ts";
import { renderResults } from "../check_result.ts";
import { commandLog } from "../command_log.ts";
import { dataPaths } from "../data_paths.ts";
import { showProgress } from "../progress.ts";
import { type CommandCall, configFor, print, printError } from "../subcommand.ts";
import { checkRestore, type RestoreCheckReport } from "./check.ts";
import type { Lack } from "./repositories.ts";

/** Runs `restore-check [DIR]`; exit code 1 when a check failed. */
export async function restoreCheck(call: CommandCall): Promise<number> {
  const config = await configFor(call);
  if (typeof config === "number") return config;
  const { cwd, env } = call.input;
  const paths = dataPaths(config, cwd);
  const own = ownAddresses(config);
  const directory = call.words[0];
  let report: RestoreCheckReport;
  try {
    report = await checkRestore({
      directory: directory === undefined ? undefined : resolve(cwd, directory),
      gitPath: paths.git,
      database: paths.database,
      gitBinary: config.gitBinary,
      searchPath: env["PATH"],
      full: call.own.has("--full"),
      isOurs: (url) => own.has(url),
      clock: systemClock,
      log: commandLog(),
      progress: showProgress(),
    });
  } catch (error) {
    printError(`error: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
  print(call.own.get("--format") === "json" ? JSON.stringify(report) : textOf(report));
  return report.results.some(({ status }) => status === "FAIL") ? 1 : 0;
}

function ownAddresses({ domain, domainAliases, bindAddress }: Config): OwnAddresses {
  return new OwnAddresses({ domain, aliases: domainAliases, bindAddresses: [formatAddress(bindAddress)] });
}

function textOf({ results, toFetch }: RestoreCheckReport): string {
  if (toFetch.length === 0) return renderResults(results);
  return [renderResults(results), "has to be fetched from elsewhere:", ...toFetch.map(lineOf)].join("\n");
}

function lineOf({ repository, missing, elsewhere }: Lack): string {
  const what = missing === "repository" ? "everything" : missing.join(", ");
  const where = elsewhere.length > 0 ? `from ${elsewhere.join(" or ")}` : "named on no other server";
  return `  ${repository}: ${what}, ${where}`;
}
