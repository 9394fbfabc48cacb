import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { commitFile, git, refsOf, tryGit } from "../support/git_client.ts";
import { announced, declareAll, hosted, pushAll, scene } from "./support.ts";

Deno.test("G-14 IO-9 IO-11 clones with protocol 0, 1 and 2, of empty and filled repositories", () =>
  scene(async (stage) => {
    const { directory } = stage;
    const repository = await announced(stage, "versions");
    for (const version of [0, 1, 2]) {
      const empty = `${directory}/empty-${version}`;
      await git(
        directory,
        "-c",
        `protocol.version=${version}`,
        "-c",
        "init.defaultBranch=master",
        "clone",
        "-q",
        repository.url,
        empty,
      );
      await commitFile(empty, "x", "x");
      await git(empty, "branch", "main");
    }
    await commitFile(repository.work, "second.txt", "second\n");
    await declareAll(stage.relay, repository, "purgatory:");
    await pushAll(repository);
    for (const version of [0, 1, 2]) {
      const clone = `${directory}/clone-${version}`;
      const { stderr, code } = await tryGit(
        directory,
        "-c",
        `protocol.version=${version}`,
        "clone",
        "-q",
        repository.url,
        clone,
      );
      deepStrictEqual([code, stderr], [0, ""]);
      deepStrictEqual(await refsOf(clone), await refsOf(repository.work));
      const listing = await git(
        clone,
        "-c",
        `protocol.version=${version}`,
        "ls-remote",
        "--symref",
        repository.url,
        "HEAD",
      );
      match(listing, /ref: refs\/heads\/main\tHEAD/);
    }
  }));

Deno.test("G-16 IO-34 IO-35 shallow and blob-less clones, and fetches by object id", () =>
  scene(async (stage) => {
    const { directory, relay } = stage;
    const repository = await hosted(stage, "partial");
    const { work, url } = repository;
    const first = await git(work, "rev-parse", "HEAD");
    await commitFile(work, "second.txt", "second\n");
    await declareAll(relay, repository, "purgatory:", Math.floor(Date.now() / 1000) - 50);
    await pushAll(repository);
    const tip = await git(work, "rev-parse", "HEAD");

    await git(directory, "clone", "-q", "--depth=1", url, `${directory}/shallow`);
    strictEqual(await git(`${directory}/shallow`, "rev-list", "--count", "HEAD"), "1");
    for (const filter of ["blob:none", "tree:0"]) {
      const clone = `${directory}/filter-${filter.replace(":", "-")}`;
      await git(directory, "clone", "-q", "--no-checkout", `--filter=${filter}`, url, clone);
      ok((await git(clone, "rev-list", "--objects", "--missing=print", "HEAD")).includes("?"));
      await git(clone, "checkout", "-q", "main");
      strictEqual(await Deno.readTextFile(`${clone}/second.txt`), "second\n");
    }

    await git(work, "reset", "-q", "--hard", first);
    await commitFile(work, "rewritten.txt", "other history\n");
    await declareAll(relay, repository, "purgatory:");
    await git(work, "push", "-q", "--force", url, "main");
    for (const version of [0, 2]) {
      for (
        const [name, oid] of [["tip", await git(work, "rev-parse", "HEAD")], ["ancestor", first], [
          "unreferenced",
          tip,
        ]]
      ) {
        const target = `${directory}/by-id-${version}-${name}`;
        await git(directory, "init", "-q", target);
        const { code, stderr } = await tryGit(
          target,
          "-c",
          `protocol.version=${version}`,
          "fetch",
          "-q",
          url,
          oid!,
        );
        strictEqual(code, 0, `protocol ${version}, ${name}: ${stderr}`);
      }
    }
  }));

Deno.test("G-17 IO-37 a want for an unknown object is a git error, not an HTTP error", () =>
  scene(async (stage) => {
    const { url } = await hosted(stage, "unknown");
    const missing = "1".repeat(40);
    const body = `0032want ${missing}\n00000009done\n`;
    const response = await fetch(`${url}/git-upload-pack`, {
      method: "POST",
      headers: { "Content-Type": "application/x-git-upload-pack-request" },
      body,
    });
    strictEqual(response.status, 200);
    match(await response.text(), /ERR .*not our ref/);
  }));
