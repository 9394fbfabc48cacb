/** `cleanup-empty-repos`: removes announcements without data and directories without announcement, offline. */
import type { Config } from "../../config/mod.ts";
import { type EmptyRemoval, type EmptyReport, removeEmpty, scanForEmpty } from "../../maintenance/mod.ts";
import { DataInUse, stopSignal, withOfflineData } from "../offline.ts";
import { type CommandCall, configFor, print, printError } from "../subcommand.ts";
import { cleanupJson, cleanupText } from "./print.ts";

/** Runs `cleanup-empty-repos`; exit code 1 when anything could not be told or removed. */
export async function cleanupEmptyRepos(call: CommandCall): Promise<number> {
  const { own } = call;
  const execute = own.has("--execute");
  const asJson = own.get("--format") === "json";
  const isUnattended = asJson || !Deno.stdin.isTerminal();
  if (execute && !own.has("--yes") && isUnattended) {
    printError("error: --execute without a terminal, or with --format json, needs --yes");
    return 2;
  }
  const config = await configFor(call);
  if (typeof config === "number") return config;
  const stop = stopSignal();
  try {
    return await withOfflineData(config, call, stop.signal, async (parts) => {
      const purgeOrphans = own.has("--purge-orphans");
      const report = await scanForEmpty(parts, { purgeOrphans });
      const shown = { report, parts, executed: undefined, willExecute: execute };
      if (!asJson) print(cleanupText(shown));
      const removal = execute && isAgreed(report, own.has("--yes"))
        ? await removeEmpty(parts, report.entries, { purgeOrphans, rememberMs: memoryOf(config) })
        : undefined;
      if (asJson) print(cleanupJson({ ...shown, executed: removal }));
      else if (removal) print(cleanupText({ ...shown, executed: removal }));
      return hasFailed(report, removal) || stop.signal.aborted ? 1 : 0;
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    printError(`error: ${text}${error instanceof DataInUse ? "; stop the server first" : ""}`);
    return 1;
  } finally {
    stop.ignore();
  }
}

function memoryOf({ rejectedColdIndexExpirySecs }: Config): number {
  return rejectedColdIndexExpirySecs * 1000;
}

function isAgreed({ entries }: EmptyReport, yes: boolean): boolean {
  const count = entries.filter(({ decision }) => decision === "remove").length;
  return count > 0 && (yes || confirm(`Remove these ${count}?`));
}

function hasFailed({ entries }: EmptyReport, removal: EmptyRemoval | undefined): boolean {
  return entries.some(({ decision }) => decision === "failed") || (removal?.failures.length ?? 0) > 0;
}
