import type { Logger } from "../../lib/observe/log.ts";

/** A log nobody reads. */
export const fakeLogger: Logger = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  trace: () => {},
  target: () => fakeLogger,
};
