import assert from "node:assert/strict";
import { encodePkt, flushPkt, joinBytes } from "../../lib/git/pkt_line.ts";
import { ZERO_OID } from "../../lib/nostr/mod.ts";
import { commitFile, git, newWorkTree, refsOf, tryGit } from "../support/git_client.ts";
import { eventually } from "../support/temp.ts";
import { type Service, withService } from "./service.ts";

const CAPABILITIES = "report-status side-band-64k";
const NO_STATE = "authorisation failed: No state events in purgatory";

async function workTree(service: Service, ...files: string[]): Promise<string> {
  return await newWorkTree(
    `${service.directory}/tree-${crypto.randomUUID()}`,
    files.length > 0 ? files : ["one"],
  );
}

function randomBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let offset = 0; offset < size; offset += 1 << 16) {
    crypto.getRandomValues(bytes.subarray(offset, offset + (1 << 16)));
  }
  return bytes;
}

function post(url: string, body: Uint8Array | ReadableStream<Uint8Array>): Promise<Response> {
  return fetch(`${url}/git-receive-pack`, { method: "POST", body: body as BodyInit });
}

function commands(...lines: string[]): Uint8Array {
  return joinBytes([
    ...lines.map((line, index) => encodePkt(line + (index === 0 ? `\0 ${CAPABILITIES}` : ""))),
    flushPkt(),
  ]);
}

/** The reports inside an answer, outer framing removed. */
async function reportOf(response: Response): Promise<string> {
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/x-git-receive-pack-result");
  const answer = await response.text();
  let report = "";
  for (let offset = 0; offset < answer.length;) {
    const length = parseInt(answer.slice(offset, offset + 4), 16);
    if (answer[offset + 4] === "\x01") report += answer.slice(offset + 5, offset + length);
    offset += Math.max(length, 4);
  }
  return report;
}

async function leftovers(service: Service, identifier = "x"): Promise<string[]> {
  const names: string[] = [];
  const path = service.repositories.path(service.ref(identifier));
  for (const folder of ["objects", "objects/pack"]) {
    try {
      for await (const { name } of Deno.readDir(`${path}/${folder}`)) {
        if (/tmp_|incoming/.test(name)) names.push(name);
      }
    } catch {
      // The folder does not exist yet.
    }
  }
  return names;
}

async function assertQuiet(service: Service): Promise<void> {
  await eventually(
    "all children are gone",
    () => service.git.running === 0 && service.http.load().active === 0,
  );
  await eventually("nobody uses the repository", () => service.repositories.uses(service.ref("x")) === 0);
  assert.deepEqual(await leftovers(service), []);
}

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

Deno.test("G-18 a push is taken no faster than git reads it", () =>
  withService(async (service) => {
    const url = await service.create("x");
    let sent = 0;
    let stop = false;
    const chunk = randomBytes(1 << 16);
    const tree = await workTree(service);
    const head = commands(`${ZERO_OID} ${await git(tree, "rev-parse", "main")} refs/heads/main`);
    // A pack of one stored object that announces much more than git gets to see at once.
    const packHead = new Uint8Array([
      0x50,
      0x41,
      0x43,
      0x4b,
      0,
      0,
      0,
      2,
      0,
      0,
      0,
      1,
      0xbf,
      0xff,
      0xff,
      0x7f,
      0x78,
      0x01,
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
    await eventually("git runs", () => service.git.running > 0);
    const processes = await childrenOf(Deno.pid);
    assert.ok(processes.length > 0);
    for (const pid of processes) Deno.kill(pid, "SIGSTOP");
    let last = -1;
    await eventually("the sender is held back", async () => {
      last = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return sent === last;
    });
    assert.ok(sent < 32 << 20, `${sent} bytes taken while git was stopped`);
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

/** Starts a push of a 20 MiB pack by hand and stops after `share` of it. */
async function partialPush(
  service: Service,
  share: number,
): Promise<{ connection: Deno.Conn; sent: number; rest: Uint8Array; tip: string }> {
  const url = await service.create("x");
  const tree = await workTree(service);
  const tip = await commitFile(tree, "big", randomBytes(20 << 20));
  await Deno.writeTextFile(`${tree}/.git/tip`, `${tip}\n`);
  const pack = await new Deno.Command("sh", {
    args: ["-c", "git -c core.compression=0 pack-objects --revs --stdout -q < .git/tip"],
    cwd: tree,
  }).output();
  const body = joinBytes([commands(`${ZERO_OID} ${tip} refs/heads/main`), new Uint8Array(pack.stdout)]);
  const connection = await Deno.connect({ port: service.port });
  const head = `POST ${
    new URL(url).pathname
  }/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`;
  const cut = Math.floor(body.length * share);
  await writeAll(connection, joinBytes([new TextEncoder().encode(head), body.subarray(0, cut)]));
  return { connection, sent: cut, rest: body.subarray(cut), tip };
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length;) offset += await connection.write(bytes.subarray(offset));
}

async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid=,comm="] }).output();
  const rows = new TextDecoder().decode(stdout).trim().split("\n").map((line) => line.trim().split(/\s+/));
  const git = rows.filter(([, parent, name]) => Number(parent) === pid && name === "git").map(([id]) =>
    Number(id)
  );
  return [...git, ...rows.filter(([, parent]) => git.includes(Number(parent))).map(([id]) => Number(id))];
}

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
    assert.ok(text.includes("unpack ok"));
    assert.equal(text.split("0005\x01").length - 1, 5);
    finish();
    await eventually("the push was settled", () => service.gate.settled.length === 1);
  }, { virtualTime: true }));
