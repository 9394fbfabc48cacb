import { ok } from "node:assert/strict";
import { crash } from "./crash.ts";

const KILLS = 20;

Deno.test("M-24 20 kills at random moments of a mixed workload: nothing acknowledged is lost", async () => {
  const seed = Number(Deno.env.get("CRASH_SEED") ?? 20_261_121);
  try {
    ok(await crash({ seed, kills: KILLS }) > KILLS, "the workload hardly got anywhere");
  } catch (cause) {
    throw new Error(`CRASH_SEED=${seed} fails`, { cause });
  }
});
