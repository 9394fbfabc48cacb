/** Prints whether a backup of the directory given runs, as a server with few permissions sees it. */
import { runningBackup } from "../../lib/git/backup_marker.ts";
import { systemClock } from "../../lib/world/clock.ts";

console.log(await runningBackup(Deno.args[0]!, systemClock) !== undefined);
