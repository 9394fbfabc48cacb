/**
 * Loaded into a server before its program: writes a line for each turn of its event loop that kept a timer
 * waiting for long. Told apart are the time without that in which another process had the core, and what
 * of it was computing; the rest is waiting for the disk.
 */
const EVERY_MS = 5;
const WORTH_TELLING_MS = 10;

let before = performance.now();
let [ranBefore, waitedBefore] = schedule();

Deno.unrefTimer(setInterval(() => {
  const at = performance.now();
  const [ran, waited] = schedule();
  const turnMs = at - before - EVERY_MS;
  if (turnMs > WORTH_TELLING_MS) {
    const ownMs = Math.max(0, turnMs - (waited - waitedBefore));
    const busyMs = Math.min(ownMs, ran - ranBefore);
    console.error(`turn ${Date.now()} ${turnMs.toFixed(1)} ${ownMs.toFixed(1)} ${busyMs.toFixed(1)}`);
  }
  [before, ranBefore, waitedBefore] = [at, ran, waited];
}, EVERY_MS));

/** How long the main thread has had a core, and has waited for one, since its start in milliseconds. */
function schedule(): [ran: number, waited: number] {
  const [ran, waited] = Deno.readTextFileSync("/proc/self/schedstat").split(" ").map((ns) =>
    Number(ns) / 1e6
  );
  return [ran!, waited!];
}
