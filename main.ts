import { runCommand } from "./lib/commands/mod.ts";
import { startServer } from "./lib/server.ts";

Deno.exit(await runCommand(Deno.args, startServer));
