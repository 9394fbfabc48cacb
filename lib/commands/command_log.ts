import { createLogger, type LogFilter, type Logger } from "../observe/mod.ts";
import { systemClock } from "../world/mod.ts";
import { printError } from "./subcommand.ts";

const WARNINGS: LogFilter = { fallback: "warn", targets: new Map() };

/** The log of a command: warnings and errors as text on stderr; stdout is for its result. */
export function commandLog(): Logger {
  return createLogger({ filter: WARNINGS, format: "text", write: printError, clock: systemClock });
}
