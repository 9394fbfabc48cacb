import assert from "node:assert/strict";
import { Together } from "../../lib/store/together.ts";

Deno.test("questions of one turn are answered together and in order, those asked meanwhile after them", async () => {
  const asked: (readonly number[])[] = [];
  const together = new Together<number, number>(async (questions) => {
    asked.push(questions);
    if (asked.length === 1) void together.ask(9);
    await Promise.resolve();
    return questions.map((question) => question * 10);
  });
  assert.deepEqual(await Promise.all([1, 2, 3].map((question) => together.ask(question))), [10, 20, 30]);
  assert.equal(await together.ask(4), 40);
  assert.deepEqual(asked, [[1, 2, 3], [9, 4]]);
});

Deno.test("when looking fails all who asked together are told, and the next look is made", async () => {
  let looks = 0;
  const together = new Together<string, string>((questions) =>
    ++looks === 1 ? Promise.reject(new Error("no database")) : Promise.resolve(questions)
  );
  const answers = await Promise.allSettled([together.ask("a"), together.ask("b")]);
  assert.deepEqual(answers.map(({ status }) => status), ["rejected", "rejected"]);
  assert.equal(await together.ask("c"), "c");
});
