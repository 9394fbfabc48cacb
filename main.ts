import { runCommand } from "./lib/commands/mod.ts";
import type { startServer } from "./lib/server.ts";

/** Loads the server when it is wanted: its libraries take permissions that other commands do without. */
const start = async (input: Parameters<typeof startServer>[0]) =>
  await (await import("./lib/server.ts")).startServer(input);

Deno.exit(await runCommand(Deno.args, start));
