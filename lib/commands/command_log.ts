import { createLogger, type Logger, type LogLevel } from "../observe/mod.ts";
import { systemClock } from "../world/mod.ts";
import { printError } from "./subcommand.ts";

/** The log of a command: warnings and errors, or less, as text on stderr; stdout is for its result. */
export function commandLog(least: Extract<LogLevel, "warn" | "error"> = "warn"): Logger {
  const filter = { fallback: least, targets: new Map() };
  return createLogger({ filter, format: "text", write: printError, clock: systemClock });
}
