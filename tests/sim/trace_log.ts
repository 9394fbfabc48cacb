import type { LogFields, Logger } from "../../lib/observe/mod.ts";
import type { World } from "./world.ts";

/** Prints every line of a machine with virtual time and name: what `--trace` shows. */
export function traceLog(world: World, name: string): Logger {
  const print = (message: string, fields?: LogFields) => {
    const told = Object.entries(fields ?? {}).filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${String(value).slice(0, 60)}`);
    console.log([String(world.elapsed).padStart(10), name, message, ...told].join(" "));
  };
  const log: Logger = {
    error: print,
    warn: print,
    info: print,
    debug: print,
    trace: print,
    target: () => log,
  };
  return log;
}
