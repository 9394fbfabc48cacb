import assert from "node:assert/strict";
import { flushPkt, joinBytes } from "../../lib/git/pkt_line.ts";
import { ZERO_OID } from "../../lib/nostr/mod.ts";
import { commitFile, git, refsOf, tryGit } from "../support/git_client.ts";
import { withService } from "./service.ts";

import { assertQuiet, commands, NO_STATE, post, randomBytes, reportOf, workTree } from "./push_wire.ts";

Deno.test("G-11 G-14 repositories with odd names are pushed to and cloned", () =>
  withService(async (service) => {
    for (const name of ["my repo", "ü☂", "a:b", "100%", "x.git", "x", "-n", ".hidden", "a".repeat(251)]) {
      const url = await service.create(name);
      const tree = await workTree(service, `file of ${name.slice(0, 9)}`);
      const push = await tryGit(tree, "push", url, "main");
      assert.equal(push.code, 0, `${name}: ${push.stderr}`);
      const clone = `${service.directory}/clone-${crypto.randomUUID()}`;
      await git(service.directory, "clone", "-q", "-b", "main", url, clone);
      assert.equal(await git(clone, "rev-parse", "HEAD"), await git(tree, "rev-parse", "HEAD"));
    }
  }));

Deno.test("a push is settled before the client is told, and with what was applied", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await workTree(service);
    const tip = await git(tree, "rev-parse", "main");
    let told = false;
    service.gate.onSettle = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(told, false);
    };
    await git(tree, "push", "-q", url, "main", "main:refs/tags/v1");
    told = true;
    const expected = ["refs/heads/main", "refs/tags/v1"].map((ref) => ({
      oldOid: ZERO_OID,
      newOid: tip,
      ref,
    }));
    assert.deepEqual(service.gate.asked, [expected]);
    assert.deepEqual(service.gate.settled, [expected]);
    assert.equal(service.gate.abandoned, 0);
    await assertQuiet(service);
  }));

Deno.test("branches are deleted and rewritten as the gate allows, the current one included", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await workTree(service, "one", "two");
    await git(tree, "push", "-q", url, "main:master", "main:dev");
    await git(tree, "push", "-q", url, "+main~1:dev", ":master", "main:new");
    assert.deepEqual(Object.keys(await refsOf(service.repositories.path(service.ref("x")))), [
      "refs/heads/dev",
      "refs/heads/new",
    ]);
    assert.equal(service.gate.settled[1]?.length, 3);
  }));

Deno.test("G-24 stock git shows the reason of every refused ref, also with --atomic", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await workTree(service);
    service.gate.refusal = { text: NO_STATE, reasons: new Map([["refs/heads/main", NO_STATE]]) };
    for (const option of [[], ["--atomic"]]) {
      const push = await tryGit(tree, "push", ...option, url, "main", "main:other");
      assert.equal(push.code, 1);
      assert.match(
        push.stderr,
        /! \[remote rejected\] main -> main \(authorisation failed: No state events in purgatory\)/,
      );
      assert.match(push.stderr, /main -> other \(authorisation failed: refused because another ref/);
    }
    assert.equal((await service.repositories.readRefs(service.ref("x"))).refs.size, 0);
    assert.equal(service.gate.abandoned + service.gate.settled.length, 0);
  }));

Deno.test("G-18 a large push streams, and the probe before it does nothing", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const probe = await post(url, flushPkt());
    assert.equal(probe.status, 200);
    assert.equal(probe.headers.get("content-type"), "application/x-git-receive-pack-result");
    assert.equal(await probe.text(), "");
    assert.equal(service.gate.asked.length, 0);
    const tree = await workTree(service);
    await commitFile(tree, "big", randomBytes(20 << 20));
    const push = await tryGit(tree, "push", url, "main");
    assert.equal(push.code, 0, push.stderr);
    assert.equal(service.requests.filter((line) => line.startsWith("POST")).length, 3);
    assert.equal(service.gate.asked.length, 1);
    await assertQuiet(service);
  }));

Deno.test("G-21 a refused large push is one POST whose reason is shown", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await workTree(service);
    await commitFile(tree, "big", randomBytes(60 << 20));
    service.gate.refusal = { text: NO_STATE, reasons: new Map() };
    const push = await tryGit(tree, "-c", "core.compression=0", "push", url, "main");
    assert.equal(push.code, 1);
    assert.match(push.stderr, /No state events in purgatory/);
    assert.doesNotMatch(push.stderr, /hung up|RPC failed|broken/i);
    assert.equal(service.requests.filter((line) => line.startsWith("POST")).length, 2);
    assert.equal(service.gate.asked.length, 1);
    await assertQuiet(service);
  }));

Deno.test("G-22 host and repository configuration and hooks have no effect", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const path = service.repositories.path(service.ref("x"));
    const marker = `${service.directory}/hook-ran`;
    await Deno.mkdir(`${path}/hooks`);
    for (const hook of ["pre-receive", "update", "post-receive", "reference-transaction"]) {
      await Deno.writeTextFile(`${path}/hooks/${hook}`, `#!/bin/sh\ntouch '${marker}'\nexit 1\n`, {
        mode: 0o755,
      });
    }
    const odd =
      "[receive]\n\tdenyDeletes = true\n\tdenyNonFastForwards = true\n[core]\n\thooksPath = hooks\n" +
      "[http]\n\treceivepack = false\n[uploadpack]\n\tallowUnreachable = true\n[init]\n\tdefaultBranch = zzz\n";
    await Deno.writeTextFile(`${path}/config`, odd, { append: true });
    await Deno.writeTextFile(`${service.git.homePath}/.gitconfig`, odd);
    const tree = await workTree(service, "one", "two");
    await git(tree, "push", "-q", url, "main", "main:dev");
    await git(tree, "push", "-q", url, "+main~1:main", ":dev");
    await assert.rejects(Deno.stat(marker));
    await service.create("y");
    assert.equal((await service.repositories.readRefs(service.ref("y"))).head, "refs/heads/master");
  }));

Deno.test("G-44 push options are accepted and ignored", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await workTree(service);
    const push = await tryGit(tree, "push", "-o", "key=value", "-o", "x", url, "main");
    assert.equal(push.code, 0, push.stderr);
    assert.equal(service.gate.settled.length, 1);
  }));

Deno.test("G-38 IO-17 a push of what is already there is settled without git", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await workTree(service);
    await git(tree, "push", "-q", url, "main");
    const tip = await git(tree, "rev-parse", "main");
    // libgit2 adds an empty pack.
    const emptyPack = new Uint8Array(
      await new Deno.Command("git", { args: ["pack-objects", "--stdout", "-q"], stdin: "null", cwd: tree })
        .output()
        .then(({ stdout }) => stdout),
    );
    const body = joinBytes([commands(`${tip} ${tip} refs/heads/main`), emptyPack]);
    const report = await reportOf(await post(url, body));
    assert.equal(report, "000eunpack ok\n0017ok refs/heads/main\n0000".replace("0017", "0017"));
    assert.deepEqual(service.gate.settled[1], [{ oldOid: tip, newOid: tip, ref: "refs/heads/main" }]);
  }));

Deno.test("IO-18 a deletion with both ids zero is ok and changes nothing, whether the ref exists or not", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await workTree(service);
    await git(tree, "push", "-q", url, "main");
    const before = await refsOf(service.repositories.path(service.ref("x")));
    for (const ref of ["refs/heads/gone", "refs/heads/main"]) {
      const report = await reportOf(await post(url, commands(`${ZERO_OID} ${ZERO_OID} ${ref}`)));
      assert.ok(report.includes(`ok ${ref}\n`));
    }
    assert.equal(service.gate.abandoned, 2);
    // Beside a real update git gets only that one: it would delete an existing ref.
    const tip = await git(tree, "rev-parse", "main");
    const mixed = commands(
      `${ZERO_OID} ${ZERO_OID} refs/heads/main`,
      `${tip} ${ZERO_OID} refs/heads/nothing`,
    );
    await reportOf(await post(url, mixed));
    const create = commands(`${ZERO_OID} ${ZERO_OID} refs/heads/main`, `${ZERO_OID} ${tip} refs/heads/other`);
    const empty = await new Deno.Command("git", {
      args: ["pack-objects", "--stdout", "-q"],
      stdin: "null",
      cwd: tree,
    })
      .output();
    const report = await reportOf(await post(url, joinBytes([create, new Uint8Array(empty.stdout)])));
    assert.ok(report.includes("ok refs/heads/other\n") && report.includes("ok refs/heads/main\n"), report);
    assert.deepEqual(await refsOf(service.repositories.path(service.ref("x"))), {
      ...before,
      "refs/heads/other": tip,
    });
  }));

Deno.test("shallow clones can push unless history is missing, and no shallow file appears", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await workTree(service, "one", "two");
    const clone = `${service.directory}/shallow`;
    await git(service.directory, "clone", "-q", "--depth=1", `file://${tree}`, clone);
    const push = await tryGit(clone, "push", url, "main");
    assert.notEqual(push.code, 0);
    assert.match(push.stderr, /shallow update not allowed/);
    await assert.rejects(Deno.stat(`${service.repositories.path(service.ref("x"))}/shallow`));
  }));
