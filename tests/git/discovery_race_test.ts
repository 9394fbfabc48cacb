import assert from "node:assert/strict";
import { commitFile, git, newWorkTree } from "../support/git_client.ts";
import { ADVERTISEMENTS, ALL_REFS, answered, type Question } from "./discovery.ts";
import { withService } from "./service.ts";

const PUSHES = 10;

Deno.test("G-69 whoever asks after a push was acknowledged sees it, and nobody sees refs go back", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await newWorkTree(`${service.directory}/tree`);
    const commits = [await git(tree, "rev-parse", "HEAD")];
    for (let n = 1; n <= PUSHES; n++) commits.push(await commitFile(tree, "file", `${n}`));
    const push = (index: number) =>
      git(tree, "push", "-q", url, `${commits[index]}:refs/heads/one`, `${commits[index]}:refs/heads/two`);
    await push(0);
    let acknowledged = 0;
    let asked = 0;
    let isOver = false;

    /** How far the branches are in an answer. */
    const progress = async (question: Question) => {
      const text = await answered(service, question);
      return ["one", "two"].map((name) => {
        const oid = new RegExp(`([0-9a-f]{40}) refs/heads/${name}[\0 \n]`).exec(text)?.[1];
        return commits.indexOf(oid ?? "");
      });
    };
    const reader = async (question: Question) => {
      let before = [0, 0];
      while (!isOver) {
        const least = acknowledged;
        const seen = await progress(question);
        for (const [index, value] of seen.entries()) {
          assert.ok(value >= least, `${value} after ${least} was acknowledged`);
          assert.ok(value >= before[index]!, `${value} after ${before[index]} was seen`);
        }
        before = seen;
        asked++;
        await new Promise((resolve) => setTimeout(resolve, asked % 5));
      }
    };
    const readers = [ADVERTISEMENTS[0]!, ADVERTISEMENTS[3]!, ALL_REFS, ALL_REFS].map(reader);
    const pushes = (async () => {
      for (let index = 1; index <= PUSHES; index++) {
        await push(index);
        acknowledged = index;
        for (const question of [ALL_REFS, ADVERTISEMENTS[0]!]) {
          assert.deepEqual(await progress(question), [index, index]);
        }
        const list = await git(tree, "ls-remote", url, "refs/heads/two");
        assert.equal(list.split("\t")[0], commits[index]);
        // Some pushes come when the refs of the one before are in memory, some earlier.
        const enough = asked + (index % 3) * 30;
        while (asked < enough) await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    await pushes.finally(() => isOver = true);
    await Promise.all(readers);
    assert.ok(asked > PUSHES);
  }));
