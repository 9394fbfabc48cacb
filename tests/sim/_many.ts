import { planOf, run } from "./run.ts";
const [from, to, n, faults] = Deno.args.map(Number);
let bad = 0;
const t = performance.now();
const hist: Record<string, number> = {};
for (let s = from!; s <= to!; s++) {
  const p = planOf(s, n || undefined);
  const t1 = performance.now();
  const r = await run({
    ...p,
    ...(faults !== undefined && { faults }),
    patienceMs: Number(Deno.args[4] ?? 300_000),
  });
  const k = String(r.convergedAfterMs);
  hist[k] = (hist[k] ?? 0) + 1;
  if (r.problems.length) {
    bad++;
    console.log(
      s,
      "machines",
      p.machines,
      "faults",
      r.faults,
      "del",
      p.deletions,
      Math.round(performance.now() - t1) + "ms",
      r.problems.slice(0, 4),
    );
  }
}
console.log({ bad }, Math.round(performance.now() - t), hist);
