import assert from "node:assert/strict";
import { withService } from "../git/service.ts";
import { git, newWorkTree, tryGit } from "../support/git_client.ts";

Deno.test("P-82 refs/purgatory/ is never advertised, in no protocol version, and can be neither pushed nor deleted", () =>
  withService(async (service) => {
    const url = await service.create("repo");
    const work = await newWorkTree(`${service.directory}/work`);
    await git(work, "push", "-q", url, "main");
    const path = service.repositories.path(service.ref("repo"));
    const oid = await git(work, "rev-parse", "HEAD");
    for (const name of [`keep/${oid}`, "tmp/job/h/main"]) {
      await git(path, "update-ref", `refs/purgatory/${name}`, oid);
    }
    for (const version of ["0", "1", "2"]) {
      const listed = await git(work, "-c", `protocol.version=${version}`, "ls-remote", url);
      assert.ok(!listed.includes("purgatory"), listed);
    }
    const { code } = await tryGit(work, "push", url, "HEAD:refs/purgatory/keep/x");
    assert.notEqual(code, 0);
    const { refs } = await service.repositories.readRefs(service.ref("repo"));
    assert.equal(refs.has("refs/purgatory/keep/x"), false);
    await tryGit(work, "push", url, `:refs/purgatory/keep/${oid}`);
    assert.ok(
      (await service.repositories.readRefs(service.ref("repo"))).refs.has(`refs/purgatory/keep/${oid}`),
    );
  }));
