import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { history, manyRefs, objectCount, randomFiles } from "../../bench/repository.ts";
import { provide, type Sample } from "../../bench/samples.ts";
import { git, refsOf } from "../support/git_client.ts";
import { withTempDirectory } from "../support/temp.ts";

const SMALL: readonly Sample[] = [
  { name: "history", stream: () => history(120) },
  { name: "refs", stream: () => manyRefs(1_500) },
  { name: "files", stream: () => randomFiles(3, 50_000, 1), incompressible: true },
];

Deno.test("generated repositories have the same bytes each time, and are what they are called", async () => {
  await withTempDirectory(async (directory) => {
    for (const sample of SMALL) {
      const [first, second] = [
        await provide(sample, `${directory}/a`),
        await provide(sample, `${directory}/b`),
      ];
      deepStrictEqual(await refsOf(first), await refsOf(second));
      await git(first, "fsck", "--full");
    }
    strictEqual(await objectCount(`${directory}/a/history.git`), 480);
    strictEqual(Object.keys(await refsOf(`${directory}/a/refs.git`)).length, 1_500);
    const packed = /^size-pack: (\d+)$/m.exec(await git(`${directory}/a/files.git`, "count-objects", "-v"));
    strictEqual(Number(packed![1]) >= 3 * 50_000 / 1024, true, packed![0]);
  });
});

Deno.test("a generated repository is kept for later runs, and built again when it is damaged", async () => {
  await withTempDirectory(async (directory) => {
    const sample = SMALL[0]!;
    const path = await provide(sample, directory);
    const refs = await refsOf(path);
    const { ino } = await Deno.stat(path);
    await provide(sample, directory);
    strictEqual((await Deno.stat(path)).ino, ino);

    await git(path, "update-ref", "-d", "refs/heads/main");
    await provide(sample, directory);
    deepStrictEqual(await refsOf(path), refs);

    for await (const { name } of Deno.readDir(`${path}/objects/pack`)) {
      if (name.endsWith(".pack")) await Deno.remove(`${path}/objects/pack/${name}`);
    }
    await provide(sample, directory);
    await git(path, "fsck", "--full");
    deepStrictEqual((await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name), [
      "history.git",
    ]);
  });
});
