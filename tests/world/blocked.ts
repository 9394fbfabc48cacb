/** A process that gives signs of life until its standard input ends, then blocks its event loop for ever. */
import { serviceManager, systemClock } from "../../lib/world/mod.ts";

const manager = serviceManager(Deno.env.toObject(), (sentence) => {
  throw new Error(sentence);
});
void manager.watch(systemClock, new AbortController().signal);
for await (const _ of Deno.stdin.readable);
Deno.stdout.writeSync(new TextEncoder().encode("blocked"));
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
