import type { Logger } from "../../lib/observe/mod.ts";

/** A log that writes nothing. */
export const silentLog: Logger = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  trace: () => {},
  target: () => silentLog,
};
