import { ok } from "node:assert/strict";
import { crash } from "./crash.ts";

const KILLS = 10;

for (const packCache of [true, false]) {
  const label = packCache ? "with" : "without";
  Deno.test(`M-24 ${KILLS} kills at random moments of a mixed workload ${label} a pack cache: nothing acknowledged is lost`, async () => {
    const seed = Number(Deno.env.get("CRASH_SEED") ?? 20_261_121);
    try {
      ok(await crash({ seed, kills: KILLS, packCache }) > KILLS, "the workload hardly got anywhere");
    } catch (cause) {
      throw new Error(`CRASH_SEED=${seed} fails ${label} a pack cache`, { cause });
    }
  });
}
