import assert from "node:assert/strict";
import { LibsqlError } from "@libsql/client/http";
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

Deno.test("when the database is in trouble all who asked together are told, and the next look is made", async () => {
  let looks = 0;
  const together = new Together<string, string>((questions) =>
    ++looks === 1 ? Promise.reject(new LibsqlError("gone", "SQLITE_IOERR")) : Promise.resolve(questions)
  );
  const answers = await Promise.allSettled([together.ask("a"), together.ask("b")]);
  assert.deepEqual(answers.map(({ status }) => status), ["rejected", "rejected"]);
  assert.equal(await together.ask("c"), "c");
});

Deno.test("a question that cannot be asked takes no others along", async () => {
  const together = new Together<number, number>((questions) =>
    questions.includes(7) ? Promise.reject(new Error("too large")) : Promise.resolve(questions)
  );
  const answers = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => together.ask(n)));
  const values = answers.map((answer) => answer.status === "fulfilled" ? answer.value : undefined);
  assert.deepEqual(values, Array.from({ length: 20 }, (_, n) => n === 7 ? undefined : n));
});
