import { ok } from "node:assert/strict";
import { withTempDirectory } from "../support/temp.ts";
import { soak } from "./soak.ts";

const DISTURBED_MS = 8_000;
/** A hunt that failed over a fault looks again after 20, 40, 80 s. */
const CONVERGENCE_MS = 240_000;

Deno.test("S-111 three servers under random faults come to the state that the acknowledged events describe", () =>
  withTempDirectory(async (directory) => {
    const seed = Number(Deno.env.get("SOAK_SEED") ?? 20_261_121);
    const lines: string[] = [];
    try {
      const { tally } = await soak({
        seed,
        users: 3,
        directory,
        disturbedMs: DISTURBED_MS,
        convergenceMs: CONVERGENCE_MS,
        progress: (text) => lines.push(text),
      });
      ok(tally.pushes > 5, "the workload hardly got anywhere");
    } catch (cause) {
      throw new Error([`SOAK_SEED=${seed} fails`, ...lines].join("\n"), { cause });
    }
  }));
