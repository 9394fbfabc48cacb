/** Everything the command line can ask for. */
import {
  defaultEnvText,
  helpText,
  parseCommandLine,
  type SubcommandName,
  versionText,
} from "../config/mod.ts";
import { SCHEMA_VERSION } from "../store/mod.ts";
import { systemClock } from "../world/mod.ts";
import { checkConfig } from "./check_config.ts";
import { printPermissions } from "./print_permissions.ts";
import type { OpenImport } from "./import/ports.ts";
import { serve, type StartServer } from "./serve.ts";
import { type CommandCall, print, printError, refuseUsage } from "./subcommand.ts";
import { surroundings } from "./surroundings.ts";

export { checkConfig, type CheckConfigInput, type CheckReport } from "./check_config.ts";
export type { ImportEngine, ImportInput, OpenImport } from "./import/ports.ts";
export { runtimeWarning } from "./runtime.ts";
export type { StartServer, Stoppable } from "./serve.ts";

/** What commands need of the parts of the program that stand above them. */
export interface ProgramParts {
  readonly startServer: StartServer;
  readonly openImport: OpenImport;
}

/** Runs a sub-command; returns the exit code (0 done, 1 failure, 2 usage). */
type Runner = (call: CommandCall, parts: ProgramParts) => Promise<number>;

/** What each sub-command does; its libraries load when it is wanted. */
const RUNNERS: Readonly<Record<string, Runner>> = {
  backup: async (call) => await (await import("./backup/mod.ts")).backup(call),
  export: async (call) => await (await import("./export/mod.ts")).exportEvents(call),
  import: async (call, { openImport }) =>
    await (await import("./import/mod.ts")).importEvents(call, openImport),
  "cleanup-empty-repos": async (call) =>
    await (await import("./cleanup_empty_repos/mod.ts")).cleanupEmptyRepos(call),
  maintain: async (call) => await (await import("./maintain/mod.ts")).maintain(call),
  "restore-check": async (call) => await (await import("./restore_check/mod.ts")).restoreCheck(call),
  why: async (call) => await (await import("./why/mod.ts")).why(call),
} satisfies Record<SubcommandName, Runner>;

/** Runs what the arguments ask for; returns the exit code (0 success, 1 failure, 2 usage). */
export async function runCommand(args: readonly string[], parts: ProgramParts): Promise<number> {
  const command = parseCommandLine(args);
  switch (command.kind) {
    case "help":
      print(helpText(command.of));
      return 0;
    case "version":
      print(versionText(SCHEMA_VERSION));
      return 0;
    case "print-default-env":
      print(defaultEnvText());
      return 0;
    case "print-permissions":
      return await printPermissions(surroundings(args), command);
    case "check-config": {
      const report = await checkConfig({
        ...surroundings(args),
        schemaVersion: SCHEMA_VERSION,
        clock: systemClock,
      });
      print(report.text);
      if (report.trouble !== "") printError(report.trouble);
      return report.exitCode;
    }
    case "subcommand": {
      const refused = refuseUsage(command.problems);
      if (refused !== undefined) return refused;
      return await RUNNERS[command.name]!({ ...command, input: surroundings(args) }, parts);
    }
    case "serve":
      return await serve(surroundings(args), parts.startServer);
  }
}
