/**
 * Commits the units of work in the file given as second argument, one JSON text per line, to the database
 * below the data path given as first. A process of its own: only its end surely ends the database's lock.
 */
import { type Changes, openStore } from "../lib/store/mod.ts";
import { systemClock } from "../lib/world/mod.ts";
import { fakeLogger } from "../tests/git/quiet_log.ts";

const GROUP = 500;

const [dataPath, file] = Deno.args;
const lines = (await Deno.readTextFile(file!)).split("\n").filter(Boolean);
const store = await openStore({
  location: `${dataPath}/relay/relay.db`,
  backend: "libsql",
  clock: systemClock,
  limits: { defaultFilterLimit: 500, maxFilterLimit: 5_000 },
  log: fakeLogger,
});
for (let from = 0; from < lines.length; from += GROUP) {
  const group = lines.slice(from, from + GROUP).map((line) => JSON.parse(line) as Changes);
  await Promise.all(group.map((changes) => store.commit(changes)));
}
await store.close();
