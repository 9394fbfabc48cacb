import { type OpenImport, runCommand, type StartServer } from "./lib/commands/mod.ts";

/** Loads the server when it is wanted: its libraries take permissions that other commands do without. */
const startServer: StartServer = async (input) => await (await import("./lib/server.ts")).startServer(input);
const openImport: OpenImport = async (input) => await (await import("./lib/importing.ts")).openImport(input);

Deno.exit(await runCommand(Deno.args, { startServer, openImport }));
