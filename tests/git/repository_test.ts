import assert from "node:assert/strict";
import { Repositories, type RepositoryRef } from "../../lib/git/mod.ts";
import { encodeNpub } from "../../lib/nostr/mod.ts";
import { git, newWorkTree, refsOf } from "../support/git_client.ts";
import { systemClock, systemRandom } from "../../lib/world/mod.ts";
import { fakeLogger } from "./quiet_log.ts";
import { OWNER, type Service, withService } from "./service.ts";

const OTHER = "a".repeat(63) + "b";

/** Pushes a work tree straight into the directory of a repository, past the service. */
async function fill(service: Service, identifier: string, files = ["one", "two"]): Promise<string> {
  await service.repositories.ensure(service.ref(identifier));
  const tree = await newWorkTree(`${service.directory}/tree-${crypto.randomUUID()}`, files);
  await git(tree, "push", "-q", service.repositories.path(service.ref(identifier)), "main");
  return tree;
}

function headOf(repositories: Repositories, ref: RepositoryRef): Promise<string> {
  return Deno.readTextFile(`${repositories.path(ref)}/HEAD`);
}

Deno.test("IO-9 a new repository is empty, bare, SHA-1, on master, and made once", () =>
  withService(async ({ repositories, ref }) => {
    assert.equal(await repositories.exists(ref("x")), false);
    const results = await Promise.all([1, 2, 3].map(() => repositories.ensure(ref("x"))));
    assert.equal(results.filter((result) => result === "created").length, 1);
    assert.equal(await repositories.exists(ref("x")), true);
    assert.equal(await headOf(repositories, ref("x")), "ref: refs/heads/master\n");
    const names = [...Deno.readDirSync(repositories.path(ref("x")))].map(({ name }) => name).sort();
    assert.deepEqual(names, ["HEAD", "config", "objects", "refs"]);
    assert.match(
      await Deno.readTextFile(`${repositories.path(ref("x"))}/config`),
      /allowAnySHA1InWant = true/,
    );
    assert.deepEqual(await repositories.list(), [ref("x")]);
    assert.deepEqual([...Deno.readDirSync(`${repositories.root}/${encodeNpub(OWNER)}`)].length, 1);
  }));

Deno.test("G-13 an identifier of 251 bytes gets its directory; impossible names none", () =>
  withService(async ({ repositories, ref }) => {
    await repositories.ensure(ref("a".repeat(251)));
    assert.equal(await repositories.exists(ref("a".repeat(251))), true);
    for (const identifier of ["", ".", "..", "a/b", "a\\b", "a\0", "a".repeat(252)]) {
      assert.throws(() => repositories.path(ref(identifier)), { name: "RepositoryError" });
    }
    assert.throws(() => repositories.path({ owner: "../x", identifier: "x" }), { name: "RepositoryError" });
  }));

Deno.test("a repository is removed only when unused and, unless forced, without branches and tags", () =>
  withService(async (service) => {
    const { repositories, ref } = service;
    assert.equal(await repositories.remove(ref("x"), { force: false }), "absent");
    await repositories.ensure(ref("x"));
    const release = repositories.use(ref("x"));
    assert.equal(await repositories.remove(ref("x"), { force: true }), "in-use");
    release();
    release();
    assert.equal(await repositories.remove(ref("x"), { force: false }), "removed");
    assert.deepEqual([...Deno.readDirSync(repositories.root)].map(({ name }) => name), [".trash"]);
    await repositories.settled();
    assert.deepEqual([...Deno.readDirSync(`${repositories.root}/.trash`)], []);

    await fill(service, "y");
    assert.equal(await repositories.remove(ref("y"), { force: false }), "has-refs");
    assert.equal(await repositories.remove(ref("y"), { force: true }), "removed");
    assert.equal(await repositories.exists(ref("y")), false);
  }));

Deno.test("the trash is emptied, except what the clean-up tool put there", () =>
  withService(async ({ repositories }) => {
    const trash = `${repositories.root}/.trash`;
    const unfinished = `${repositories.root}/${encodeNpub(OWNER)}/.new-${"0".repeat(32)}`;
    for (const path of [`${trash}/${"1".repeat(32)}/x`, `${trash}/2026-11-20/x`, unfinished]) {
      await Deno.mkdir(path, { recursive: true });
    }
    await repositories.emptyTrash();
    assert.deepEqual([...Deno.readDirSync(trash)].map(({ name }) => name), ["2026-11-20"]);
    await assert.rejects(Deno.stat(unfinished));
  }));

Deno.test("G-60 leftovers of killed children are removed from an unused repository", () =>
  withService(async ({ repositories, ref }) => {
    await repositories.ensure(ref("x"));
    const path = repositories.path(ref("x"));
    await Deno.mkdir(`${path}/objects/tmp_objdir-incoming-a/pack`, { recursive: true });
    await Deno.mkdir(`${path}/objects/pack`, { recursive: true });
    await Deno.writeTextFile(`${path}/objects/pack/tmp_pack_a`, "");
    await Deno.mkdir(`${path}/objects/info`, { recursive: true });
    await Deno.writeTextFile(`${path}/packed-refs.lock`, "");
    const old = ["refs/heads/old", "objects/pack/multi-pack-index", "objects/info/commit-graph"];
    for (const name of old) {
      await Deno.writeTextFile(`${path}/${name}.lock`, "");
      await Deno.utime(`${path}/${name}.lock`, new Date(0), new Date(0));
    }
    const release = repositories.use(ref("x"));
    await repositories.cleanLeftovers(ref("x"));
    await Deno.stat(`${path}/objects/tmp_objdir-incoming-a`);
    release();
    await repositories.cleanLeftovers(ref("x"));
    await assert.rejects(Deno.stat(`${path}/objects/tmp_objdir-incoming-a`));
    await assert.rejects(Deno.stat(`${path}/objects/pack/tmp_pack_a`));
    for (const name of old) await assert.rejects(Deno.stat(`${path}/${name}.lock`), name);
    await Deno.stat(`${path}/packed-refs.lock`);
  }));

Deno.test("G-60 what a use that begins during the cleaning writes is no leftover", () =>
  withService(async ({ repositories, ref }) => {
    await repositories.ensure(ref("x"));
    const path = repositories.path(ref("x"));
    await Deno.mkdir(`${path}/objects/00`, { recursive: true });
    await Deno.mkdir(`${path}/objects/pack`, { recursive: true });
    const cleaning = repositories.cleanLeftovers(ref("x"));
    const release = repositories.use(ref("x"));
    const files = ["objects/pack/tmp_pack_a", "objects/pack/pack-1.temp", "objects/00/1.temp"];
    for (const name of files) Deno.writeTextFileSync(`${path}/${name}`, "");
    await cleaning;
    for (const name of files) await Deno.stat(`${path}/${name}`);
    release();
  }));

Deno.test("P-59 a commit whose parent is missing is present but not complete", () =>
  withService(async (service) => {
    const { repositories, ref } = service;
    const tree = await fill(service, "full");
    const [tip, parent] = [await git(tree, "rev-parse", "main"), await git(tree, "rev-parse", "main~1")];
    await repositories.ensure(ref("part"));
    const path = repositories.path(ref("part"));
    // Only the newest commit, its tree and blobs: what an interrupted or shallow fetch leaves behind.
    const list = await git(tree, "rev-list", "--objects", "--no-object-names", "main", "--not", "main~1");
    await Deno.writeTextFile(
      `${service.directory}/list`,
      list + "\n" + await git(tree, "rev-parse", "main:one"),
    );
    await new Deno.Command("sh", {
      args: [
        "-c",
        `git -C '${tree}' pack-objects -q --stdout < list | git --git-dir='${path}' unpack-objects -q`,
      ],
      cwd: service.directory,
    }).output();
    assert.deepEqual([...await repositories.present(ref("part"), [tip, parent])], [[tip, "commit"]]);
    assert.deepEqual([...await repositories.complete(ref("part"), [tip, parent])], []);
    assert.deepEqual([...await repositories.complete(ref("full"), [tip, parent])], [tip, parent]);
  }));

Deno.test("complete objects are told from incomplete ones in one set", () =>
  withService(async (service) => {
    const { repositories, ref } = service;
    const tree = await fill(service, "x", ["a", "b", "c"]);
    const path = repositories.path(ref("x"));
    const broken: string[] = [];
    for (const name of ["p", "q"]) {
      const missing = "1".repeat(39) + name.charCodeAt(0) % 10;
      await Deno.writeTextFile(
        `${service.directory}/commit`,
        `tree ${await git(
          tree,
          "rev-parse",
          "main^{tree}",
        )}\nparent ${missing}\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\n${name}\n`,
      );
      broken.push(
        await git(service.directory, `--git-dir=${path}`, "hash-object", "-t", "commit", "-w", "commit"),
      );
    }
    const good = await Promise.all(["main", "main~1", "main~2"].map((name) => git(tree, "rev-parse", name)));
    await git(tree, `--git-dir=${path}`, "update-ref", "-d", "refs/heads/main");
    const complete = await repositories.complete(ref("x"), [
      broken[0]!,
      ...good,
      broken[1]!,
      "not an oid",
      "HEAD",
    ]);
    assert.deepEqual([...complete].sort(), [...good].sort());
  }));

Deno.test("G-56 objects are copied with their history and without leaving refs", () =>
  withService(async (service) => {
    const { repositories, ref } = service;
    const tree = await fill(service, "a:b \"'$(x)", ["one", "two"]);
    const tip = await git(tree, "rev-parse", "main");
    const from = ref("a:b \"'$(x)");
    const to = { owner: OTHER, identifier: "-n" };
    await repositories.ensure(to);
    assert.equal(await repositories.copyObjects(from, to, [tip, tip]), true);
    assert.deepEqual([...await repositories.complete(to, [tip])], [tip]);
    assert.equal((await repositories.readRefs(to)).refs.size, 0);
    const names = [...Deno.readDirSync(repositories.path(to))].map(({ name }) => name);
    assert.ok(!names.includes("FETCH_HEAD") && !names.includes("shallow"));
    assert.equal(await repositories.copyObjects(from, to, ["f".repeat(40)]), false);
    assert.equal(repositories.uses(from) + repositories.uses(to), 0);
  }));

Deno.test("G-54 G-57 alignment makes branches, tags and HEAD equal to the state and nothing else", () =>
  withService(async (service) => {
    const { repositories, ref } = service;
    const tree = await fill(service, "x", ["one", "two"]);
    const path = repositories.path(ref("x"));
    const [tip, old] = [await git(tree, "rev-parse", "main"), await git(tree, "rev-parse", "main~1")];
    const pr = `refs/nostr/${"a".repeat(64)}`;
    await git(tree, "push", "-q", path, `main:refs/heads/a`, `main:refs/tags/v0`, `main:${pr}`);

    const target = {
      refs: new Map([["refs/heads/main", old], ["refs/heads/a/b", tip], ["refs/tags/v1", tip]]),
      symbolic: new Set<string>(),
      head: "refs/heads/a/b",
    };
    assert.deepEqual(await repositories.align(ref("x"), target), { changed: true, failed: [] });
    assert.deepEqual(await refsOf(path), {
      "refs/heads/a/b": tip,
      "refs/heads/main": old,
      "refs/tags/v1": tip,
    });
    const state = await repositories.readRefs(ref("x"));
    assert.equal(state.refs.get(pr), tip);
    assert.equal(state.head, "refs/heads/a/b");
    assert.deepEqual(await repositories.align(ref("x"), target), { changed: false, failed: [] });
    await assert.rejects(Deno.stat(`${path}/logs`));
  }));

Deno.test("one bad ref does not keep alignment from the others", () =>
  withService(async (service) => {
    const { repositories, ref } = service;
    const tree = await fill(service, "x");
    const path = repositories.path(ref("x"));
    const tip = await git(tree, "rev-parse", "main");
    const treeOid = await git(tree, "rev-parse", "main^{tree}");
    await Deno.writeTextFile(`${path}/refs/heads/m.lock`, ""); // git cannot write this one
    const result = await repositories.align(ref("x"), {
      refs: new Map([
        ["refs/heads/b", tip],
        ["refs/heads/m", tip],
        ["refs/heads/none", "f".repeat(40)],
        ["refs/heads/tree", treeOid],
        ["refs/heads/z", tip],
        ["refs/tags/tree", treeOid],
      ]),
      symbolic: new Set(["refs/heads/main"]),
      head: "refs/heads/none",
    });
    assert.deepEqual(result.failed.toSorted(), ["refs/heads/m", "refs/heads/none", "refs/heads/tree"]);
    assert.deepEqual(Object.keys(await refsOf(path)), [
      "refs/heads/b",
      "refs/heads/main",
      "refs/heads/z",
      "refs/tags/tree",
    ]);
  }));

Deno.test("IO-13 HEAD never dangles while a branch exists, and moves only onto what is there", () =>
  withService(async (service) => {
    const { repositories, ref } = service;
    const tree = await fill(service, "x");
    const tip = await git(tree, "rev-parse", "main");
    const align = (names: string[], head?: string) =>
      repositories.align(ref("x"), {
        refs: new Map(names.map((name) => [`refs/heads/${name}`, tip])),
        symbolic: new Set(),
        head: head && `refs/heads/${head}`,
      });
    const head = async () => (await headOf(repositories, ref("x"))).slice("ref: refs/heads/".length, -1);
    await align(["zz", "b"]);
    assert.equal(await head(), "zz");
    await align(["zz", "master", "main"]);
    assert.equal(await head(), "zz");
    await align(["master", "a"]);
    assert.equal(await head(), "master");
    await align(["master", "main"], "gone");
    assert.equal(await head(), "master");
    await align(["main", "a"], "a");
    assert.equal(await head(), "a");
  }));

Deno.test("P-37 values shaped like options, refspecs or names never reach git and change nothing", () =>
  withService(async (service) => {
    const { repositories, ref } = service;
    const tree = await fill(service, "x");
    const path = repositories.path(ref("x"));
    const before = await refsOf(path);
    const tip = await git(tree, "rev-parse", "main");
    const odd = [
      "--all",
      "-d",
      "HEAD",
      "main",
      "+refs/heads/*:refs/heads/*",
      `${tip}\n--all`,
      tip.slice(0, 7),
      "",
    ];
    assert.equal((await repositories.present(ref("x"), odd)).size, 0);
    assert.equal((await repositories.complete(ref("x"), odd)).size, 0);
    for (const value of odd) {
      const failed = await repositories.changeRefs(ref("x"), [
        { ref: "refs/heads/n", oldOid: "0".repeat(40), newOid: value },
        { ref: value, oldOid: "0".repeat(40), newOid: tip },
        { ref: `refs/heads/${value}\0`, oldOid: "0".repeat(40), newOid: tip },
      ]);
      assert.equal(failed.length, 3);
    }
    await repositories.align(ref("x"), {
      refs: new Map([["refs/heads/main", tip], ["refs/heads/-d", "--all"], ["HEAD", tip]]),
      symbolic: new Set(),
      head: "refs/heads/-d",
    });
    assert.deepEqual(await refsOf(path), before);
  }));

Deno.test("G-69 alignment of many refs takes no process per ref", () =>
  withService(async (service) => {
    const { ref } = service;
    let spawned = 0;
    const counting = {
      ...service.git,
      run: (...args: Parameters<typeof service.git.run>) => (spawned++, service.git.run(...args)),
    };
    const repositories = new Repositories({
      git: Object.assign(Object.create(service.git), counting),
      gitDataPath: service.repositories.root,
      random: systemRandom,
      clock: systemClock,
      log: fakeLogger,
    });
    const tree = await fill(service, "x");
    const tip = await git(tree, "rev-parse", "main");
    const refs = new Map(Array.from({ length: 500 }, (_, index) => [`refs/tags/t${index}`, tip]));
    const target = {
      refs: refs.set("refs/heads/main", tip),
      symbolic: new Set<string>(),
      head: "refs/heads/main",
    };
    assert.deepEqual(await repositories.align(ref("x"), target), { changed: true, failed: [] });
    assert.ok(spawned <= 5, `${spawned} processes`);
    spawned = 0;
    assert.deepEqual(await repositories.align(ref("x"), target), { changed: false, failed: [] });
    assert.equal(spawned, 1);
  }));
