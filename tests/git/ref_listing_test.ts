import assert from "node:assert/strict";
import { listRefs } from "../../lib/git/ref_listing.ts";
import { RepositoryError } from "../../lib/git/refs.ts";
import { dice, fillRandomly, inRepository, writeMaterial } from "./random_repository.ts";
import { type Service, withService } from "./service.ts";

/** What git lists, in its order. */
async function said({ git }: Service, path: string): Promise<[name: string, oid: string][]> {
  const lines = await inRepository(git, path, ["for-each-ref", "--format=%(refname) %(objectname)"]);
  return lines.split("\n").filter((line) => line !== "").map((line) => line.split(" ") as [string, string]);
}

Deno.test("refs read from their files are those git lists, in its order", () =>
  withService(async (service) => {
    let read = 0;
    for (let seed = 0; seed < 15; seed++) {
      await service.create(`r${seed}`);
      const path = service.repositories.path(service.ref(`r${seed}`));
      await fillRandomly(service.git, path, await writeMaterial(service.git, path), dice(seed));
      const listed = await listRefs(path);
      if (listed) assert.deepEqual([...listed], await said(service, path), `seed ${seed}`);
      const { refs } = await service.repositories.readRefs(service.ref(`r${seed}`));
      assert.deepEqual([...refs], await said(service, path), `seed ${seed}`);
      read += listed ? 1 : 0;
    }
    assert.ok(read > 2, `${read} repositories were read without git`);
  }));

Deno.test("git is asked for refs whose files do not tell all, or are many", () =>
  withService(async (service) => {
    const cases: readonly [name: string, isRead: boolean, change: (path: string) => Promise<unknown>][] = [
      ["plain", true, () => Promise.resolve()],
      ["a lock", true, (path) => Deno.writeTextFile(`${path}/refs/heads/main.lock`, "")],
      ["a hidden file", true, (path) => Deno.writeTextFile(`${path}/refs/heads/.nfs`, "")],
      ["no packed refs", true, (path) => Deno.remove(`${path}/packed-refs`)],
      ["an empty file", false, (path) => Deno.writeTextFile(`${path}/refs/heads/main`, "")],
      ["half an id", false, (path) => Deno.writeTextFile(`${path}/refs/heads/main`, "12345678\n")],
      [
        "a symbolic ref",
        false,
        (path) => Deno.writeTextFile(`${path}/refs/heads/x`, "ref: refs/heads/main\n"),
      ],
      ["a link", false, (path) => Deno.symlink("main", `${path}/refs/heads/x`)],
      [
        "a name git refuses",
        false,
        (path) => Deno.rename(`${path}/refs/heads/main`, `${path}/refs/heads/a b`),
      ],
      ["packed refs cut off", false, async (path) => {
        const text = await Deno.readTextFile(`${path}/packed-refs`);
        await Deno.writeTextFile(`${path}/packed-refs`, text.slice(0, -30));
      }],
      ["101 entries", false, async (path) => {
        const oid = await Deno.readTextFile(`${path}/refs/heads/main`);
        for (let n = 0; n < 100; n++) await Deno.writeTextFile(`${path}/refs/heads/n${n}`, oid);
      }],
      ["a MiB of packed refs", false, async (path) => {
        const oid = await Deno.readTextFile(`${path}/refs/heads/main`);
        const lines = Array.from({ length: 20_000 }, (_, n) => `${oid.trimEnd()} refs/heads/n${n}\n`);
        await Deno.writeTextFile(`${path}/packed-refs`, lines.join(""));
      }],
      ["no refs folder", false, (path) => Deno.remove(`${path}/refs`, { recursive: true })],
      ["refs of a worktree", false, (path) => Deno.writeTextFile(`${path}/commondir`, "../other.git")],
    ];
    for (const [index, [name, isRead, change]] of cases.entries()) {
      await service.create(`c${index}`);
      const path = service.repositories.path(service.ref(`c${index}`));
      const { commits } = await writeMaterial(service.git, path);
      const update = (ref: string) => inRepository(service.git, path, ["update-ref", ref, commits[0]!]);
      for (const ref of ["refs/heads/packed", "refs/tags/v1"]) await update(ref);
      await inRepository(service.git, path, ["pack-refs", "--all"]);
      await update("refs/heads/main");
      await change(path);
      const listed = await listRefs(path);
      assert.equal(listed !== undefined, isRead, name);
      if (listed) assert.deepEqual([...listed], await said(service, path), name);
    }
  }));

Deno.test("a repository whose HEAD git cannot read is damaged, whatever its refs", () =>
  withService(async (service) => {
    for (const [index, head] of ["", "ref: main\n", "\0".repeat(23)].entries()) {
      await service.create(`h${index}`);
      const ref = service.ref(`h${index}`);
      await Deno.writeTextFile(`${service.repositories.path(ref)}/HEAD`, head);
      await assert.rejects(service.repositories.readRefs(ref), RepositoryError, JSON.stringify(head));
    }
  }));

Deno.test("a repository is not removed while it has a branch whose name is no UTF-8", () =>
  withService(async (service) => {
    await service.create("odd");
    const ref = service.ref("odd");
    const path = service.repositories.path(ref);
    const { commits } = await writeMaterial(service.git, path);
    const line = new TextEncoder().encode(`create refs/heads/? ${commits[0]}\n`);
    const input = line.map((byte) => byte === 0x3f ? 0xff : byte);
    const { code } = await service.git.run([`--git-dir=${path}`, "update-ref", "--stdin"], {
      input,
      timeoutMs: 10_000,
    });
    assert.equal(code, 0);
    assert.equal(await service.repositories.remove(ref, { force: false }), "has-refs");
  }));
