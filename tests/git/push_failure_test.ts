import assert from "node:assert/strict";
import { flushPkt, joinBytes } from "../../lib/git/pkt_line.ts";
import { ZERO_OID } from "../../lib/nostr/mod.ts";
import { commitFile, git, tryGit } from "../support/git_client.ts";
import { eventually } from "../support/temp.ts";
import { withService } from "./service.ts";

import {
  assertQuiet,
  childrenOf,
  commands,
  leftovers,
  NO_STATE,
  partialPush,
  post,
  randomBytes,
  reportOf,
  workTree,
  writeAll,
} from "./push_wire.ts";

Deno.test("G-18 a push is taken no faster than git reads it", () =>
  withService(async (service) => {
    const url = await service.create("x");
    let sent = 0;
    let stop = false;
    const chunk = randomBytes(1 << 16);
    const tree = await workTree(service);
    const head = commands(`${ZERO_OID} ${await git(tree, "rev-parse", "main")} refs/heads/main`);
    // A pack of one stored object that announces much more than git gets to see at once.
    const packHead = joinBytes([
      new TextEncoder().encode("PACK\0\0\0\x02\0\0\0\x01"),
      new Uint8Array([0xbf, 0xff, 0xff, 0xff, 0x7f, 0x78, 0x01]),
    ]);
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (stop) return controller.error(new Error("client leaves"));
        if (sent === 0) controller.enqueue(joinBytes([head, packHead]));
        sent += chunk.length;
        // A stored deflate block of 65,535 bytes at a time.
        controller.enqueue(joinBytes([new Uint8Array([0, 0xff, 0xff, 0, 0]), chunk.subarray(1)]));
      },
    }, { highWaterMark: 0 });
    const request = post(url, body).catch(() => undefined);
    await eventually("the pack arrives", async () => (await leftovers(service)).length > 0);
    const processes = await childrenOf(Deno.pid);
    assert.ok(processes.length > 0);
    for (const pid of processes) Deno.kill(pid, "SIGSTOP");
    const before = sent;
    let last = -1;
    await eventually("the sender is held back", async () => {
      last = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return sent === last;
    });
    assert.ok(sent - before < 32 << 20, `${sent - before} bytes taken while git was stopped`);
    for (const pid of processes) Deno.kill(pid, "SIGCONT");
    stop = true;
    await (await request)?.text().catch(() => {});
    await eventually("the push is over", () => service.gate.abandoned === 1);
    assert.equal((await service.repositories.readRefs(service.ref("x"))).refs.size, 0);
    await assertQuiet(service);
  }));

Deno.test("G-20 a pack over the limit is refused by git, and the client shows why", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await workTree(service);
    await commitFile(tree, "big", randomBytes((1 << 20) + (50 << 10)));
    const push = await tryGit(tree, "push", url, "main");
    assert.notEqual(push.code, 0);
    assert.match(push.stderr, /pack exceeds maximum allowed size/);
    assert.ok(!push.stderr.includes(service.directory + "/git"), push.stderr);
    assert.equal((await service.repositories.readRefs(service.ref("x"))).refs.size, 0);
    assert.equal(service.gate.abandoned, 1);
    await assertQuiet(service);
    const declared = await fetch(`${url}/git-receive-pack`, {
      method: "POST",
      body: randomBytes(2 << 20) as BodyInit,
    });
    assert.equal(declared.status, 413);
    await declared.text();
  }, { maxPushBytes: 1 << 20 }));

Deno.test("G-43 what we cannot parse never reaches git or the gate", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const oid = "a".repeat(40);
    const line = `${ZERO_OID} ${oid} refs/heads/x`;
    const refused = async (body: Uint8Array, reason: RegExp) => {
      const response = await post(url, body);
      assert.equal(response.status, 200);
      assert.match(await response.text(), reason);
    };
    await refused(commands(line, line), /ng refs\/heads\/x authorisation failed: the push names a ref twice/);
    await refused(commands(line, "junk"), /ng refs\/heads\/x authorisation failed: malformed ref update/);
    await refused(commands(`${"a".repeat(64)} ${"b".repeat(64)} refs/heads/x`), /malformed ref update/);
    await refused(commands("push-cert"), /signed pushes are not accepted/);
    await refused(joinBytes([flushPkt(), flushPkt()]), /^[0-9a-f]{4}ERR no ref updates found in push\n$/);
    for (const [body, status] of [["", 400], ["nope", 400], ["0009" + "x", 400]] as const) {
      const response = await post(url, new TextEncoder().encode(body));
      assert.equal(response.status, status);
      await response.text();
    }
    assert.equal(service.gate.asked.length, 0);
  }));

Deno.test("a command git refuses is not settled, whatever the exit code", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await workTree(service, "one", "two");
    await git(tree, "push", "-q", url, "main");
    const [tip, parent] = [await git(tree, "rev-parse", "main"), await git(tree, "rev-parse", "main~1")];
    const stale = commands(
      `${"1".repeat(40)} ${parent} refs/heads/main`,
      `${ZERO_OID} ${tip} refs/heads/two`,
    );
    const empty = await new Deno.Command("git", {
      args: ["pack-objects", "--stdout", "-q"],
      stdin: "null",
      cwd: tree,
    })
      .output();
    const report = await reportOf(await post(url, joinBytes([stale, new Uint8Array(empty.stdout)])));
    assert.match(report, /ng refs\/heads\/main /);
    assert.deepEqual(service.gate.settled[1]?.map(({ ref }) => ref), ["refs/heads/two"]);
  }));

Deno.test("G-60 receive-pack killed in mid-pack leaves nothing, and the next push works", () =>
  withService(async (service) => {
    const { connection } = await partialPush(service, 0.5);
    await eventually("the pack arrives", async () => (await leftovers(service)).length > 0);
    for (const pid of await childrenOf(Deno.pid)) Deno.kill(pid, "SIGKILL");
    await eventually("the push is abandoned", () => service.gate.abandoned === 1);
    connection.close();
    assert.equal((await service.repositories.readRefs(service.ref("x"))).refs.size, 0);
    await assertQuiet(service);
    await git(await workTree(service), "push", "-q", service.url("x"), "main");
    assert.equal(service.gate.settled.length, 1);
  }));

Deno.test("G-61 a client that leaves in mid-pack has not pushed", () =>
  withService(async (service) => {
    const { connection } = await partialPush(service, 0.5);
    await eventually("the pack arrives", async () => (await leftovers(service)).length > 0);
    connection.close();
    await eventually("the push is abandoned", () => service.gate.abandoned === 1);
    assert.equal((await service.repositories.readRefs(service.ref("x"))).refs.size, 0);
    assert.equal(service.gate.settled.length, 0);
    await assertQuiet(service);
  }));

Deno.test("G-61 a client that leaves after the whole body has pushed, however slow git is", () =>
  withService(async (service) => {
    const { connection, sent, rest, tip } = await partialPush(service, 0.99);
    await eventually("the first part is received", () => service.received() === sent);
    const processes = await childrenOf(Deno.pid);
    assert.ok(processes.length > 0);
    for (const pid of processes) Deno.kill(pid, "SIGSTOP");
    await writeAll(connection, rest);
    await eventually("the rest is received", () => service.received() === sent + rest.length);
    connection.close();
    for (const pid of processes) Deno.kill(pid, "SIGCONT");
    await eventually("the push is settled", () => service.gate.settled.length === 1);
    assert.equal((await service.repositories.readRefs(service.ref("x"))).refs.get("refs/heads/main"), tip);
    await assertQuiet(service);
  }));

Deno.test("G-67 refused and failed pushes leave nothing behind", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await workTree(service);
    service.gate.refusal = { text: NO_STATE, reasons: new Map() };
    const oid = await git(tree, "rev-parse", "main");
    await Promise.all(Array.from({ length: 20 }, async () => {
      const body = joinBytes([commands(`${ZERO_OID} ${oid} refs/heads/main`), randomBytes(10_000)]);
      assert.match(await reportOf(await post(url, body)), /ng refs\/heads\/main/);
    }));
    service.gate.refusal = undefined;
    const garbage = joinBytes([commands(`${ZERO_OID} ${oid} refs/heads/main`), randomBytes(10_000)]);
    const answer = await (await post(url, garbage)).text();
    assert.match(answer, /unpack (?!ok)/);
    assert.ok(!answer.includes(service.directory), answer);
    assert.equal(service.gate.abandoned, 1);
    await assertQuiet(service);
    const path = service.repositories.path(service.ref("x"));
    const names = [...Deno.readDirSync(`${path}/objects`)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["info", "pack"]);
  }));

Deno.test("G-62 identical pushes at the same time all end with the refs as pushed", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await workTree(service);
    const results = await Promise.all(Array.from({ length: 8 }, () => tryGit(tree, "push", url, "main")));
    assert.ok(results.some(({ code }) => code === 0));
    for (const { code, stderr } of results) {
      if (code !== 0) assert.match(stderr, /failed to update ref|reference already exists/);
    }
    assert.equal(
      (await service.repositories.readRefs(service.ref("x"))).refs.get("refs/heads/main"),
      await git(tree, "rev-parse", "main"),
    );
    await assertQuiet(service);
  }));

Deno.test("G-64 the client is kept alive while a push is being settled, and not kept longer than 30 s", () =>
  withService(async (service) => {
    const url = await service.create("x");
    const tree = await workTree(service);
    const tip = await git(tree, "rev-parse", "main");
    const path = service.repositories.path(service.ref("x"));
    await git(tree, "push", "-q", path, "main:other");
    let finish!: () => void;
    service.gate.onSettle = () => new Promise((resolve) => finish = resolve);
    const empty = await new Deno.Command("git", {
      args: ["pack-objects", "--stdout", "-q"],
      stdin: "null",
      cwd: tree,
    })
      .output();
    const body = joinBytes([commands(`${ZERO_OID} ${tip} refs/heads/main`), new Uint8Array(empty.stdout)]);
    const answer = post(url, body).then((response) => response.text());
    await eventually("the push waits to be settled", () => finish !== undefined);
    for (let seconds = 0; seconds < 30; seconds += 5) await service.clock.advance(5_000);
    const text = await answer;
    finish();
    assert.ok(text.includes("unpack ok"));
    assert.equal(text.split("0005\x01").length - 1, 6);
    await eventually("the push was settled", () => service.gate.settled.length === 1);
  }, { virtualTime: true }));
