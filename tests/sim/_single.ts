import { planOf, run } from "./run.ts";
for (const s of Deno.args) {
  const p = planOf(Number(s), 1);
  const r = await run({ ...p, patienceMs: 300_000 });
  console.log(s, r.fingerprint, r.problems.slice(0, 3));
}
