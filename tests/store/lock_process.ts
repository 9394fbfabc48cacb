/** Holds the data directory named as argument until killed; prints a line once it has it. */
import { lockDataDirectory } from "../../lib/store/mod.ts";

await lockDataDirectory(Deno.args[0]!, Deno.pid);
await Deno.stdout.write(new TextEncoder().encode("held\n"));
await new Promise((resolve) => setTimeout(resolve, 60_000));
