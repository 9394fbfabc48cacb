import assert from "node:assert/strict";
import { checkConfig } from "../../lib/commands/check_config.ts";
import { surroundings } from "../../lib/commands/surroundings.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { withTempDirectory } from "../support/temp.ts";

/** Messages of the failed checks of `id`, with `.env` and key file named by flags. */
async function failures(id: string, args: readonly string[]): Promise<readonly string[]> {
  const { text } = await checkConfig({
    ...surroundings(["--check-config", "--format=json", "--bind-address=127.0.0.1:0", ...args]),
    schemaVersion: 1,
    clock: systemClock,
  });
  const { checks } = JSON.parse(text) as { checks: { id: string; status: string; message: string }[] };
  return checks.filter((found) => found.id === id && found.status === "fail").map(({ message }) => message);
}

Deno.test("C-4 C-20 pipes, directories and endless files are refused as .env, key file and database instead of waited for", () =>
  withTempDirectory(async (cwd) => {
    const { code } = await new Deno.Command("mkfifo", { args: [`${cwd}/pipe`] }).output();
    assert.equal(code, 0);
    await Deno.writeTextFile(`${cwd}/huge`, "");
    await Deno.truncate(`${cwd}/huge`, 2 ** 40);
    const cases: readonly [string, RegExp, RegExp][] = [
      ["pipe", /: not a regular file$/, /: not a regular file$/],
      [".", /: not a regular file$/, /: not a regular file$/],
      ["huge", /: larger than \d+ bytes$/, /^Invalid nsec/],
    ];
    for (const [name, says, saysOfKey] of cases) {
      const path = `${cwd}/${name}`;
      assert.match((await failures("options", [`--env-file=${path}`])).join(), says, name);
      assert.match((await failures("key", [`--relay-owner-nsec-file=${path}`])).join(), saysOfKey, name);
    }
    assert.deepEqual(await failures("options", ["--env-file=/dev/null"]), []);
    const [database] = await failures("database", [`--database-url=file:${cwd}/pipe`]);
    assert.match(database ?? "", /^cannot open database at .*\/pipe: not a regular file$/);
  }));
