/** Everything the command line can ask for. */
import { type ConfigInput, helpText, parseCommandLine, versionText } from "../config/mod.ts";
import { SCHEMA_VERSION } from "../store/mod.ts";
import { systemClock } from "../world/mod.ts";
import { checkConfig } from "./check_config.ts";
import { serve, type StartServer } from "./serve.ts";

export { checkConfig, type CheckConfigInput, type CheckReport } from "./check_config.ts";
export { runtimeWarning } from "./runtime.ts";
export type { StartServer, Stoppable } from "./serve.ts";

/** Runs what the arguments ask for; returns the exit code (0 success, 1 failure, 2 usage). */
export async function runCommand(args: readonly string[], start: StartServer): Promise<number> {
  const command = parseCommandLine(args);
  switch (command.kind) {
    case "help":
      return print(helpText());
    case "version":
      return print(versionText(SCHEMA_VERSION));
    case "check-config": {
      const report = await checkConfig({
        ...surroundings(args),
        schemaVersion: SCHEMA_VERSION,
        clock: systemClock,
      });
      print(report.text);
      return report.exitCode;
    }
    case "serve":
      return await serve(surroundings(args), start);
  }
}

function surroundings(args: readonly string[]): ConfigInput {
  return { args, env: Deno.env.toObject(), readTextFile: (path) => Deno.readTextFile(path), cwd: Deno.cwd() };
}

function print(text: string): number {
  Deno.stdout.writeSync(new TextEncoder().encode(text.endsWith("\n") ? text : text + "\n"));
  return 0;
}
