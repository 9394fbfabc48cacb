import { playModel } from "./unreachable_model.ts";

Deno.test("M-29 whatever happens to a repository and when, maintenance drops nothing that is reachable, named by an event or unreachable for less than 14 days", async (t) => {
  // With the first two, what refs had named a few hours before was once dropped.
  for (const [seed, steps] of [[6, 20], [20, 20], [1, 8], [2, 8]] as const) {
    await t.step(`seed ${seed}`, async () => void await playModel(seed, { steps }));
  }
});

Deno.test("M-29 with a git that knows no ages of objects maintenance drops nothing", async () => {
  await playModel(1, { steps: 8, isOldGit: true });
});
