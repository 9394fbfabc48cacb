import assert from "node:assert/strict";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { encodePkt, flushPkt, joinBytes } from "../../lib/git/pkt_line.ts";
import { commitFile, git, newWorkTree, tryGit } from "../support/git_client.ts";
import { type Service, withService } from "./service.ts";

/** Status of a GET, body discarded. */
async function statusOf(url: string): Promise<number> {
  const response = await fetch(url);
  await response.arrayBuffer();
  return response.status;
}

async function text(url: string, init?: RequestInit): Promise<string> {
  return await (await fetch(url, init)).text();
}

async function filled(
  service: Service,
  identifier = "x",
): Promise<{ url: string; tree: string; tip: string }> {
  const url = await service.create(identifier);
  const tree = await newWorkTree(`${service.directory}/tree-${crypto.randomUUID()}`, ["one", "two", "three"]);
  await git(tree, "push", "-q", service.repositories.path(service.ref(identifier)), "main");
  await service.repositories.align(service.ref(identifier), {
    refs: new Map([["refs/heads/main", await git(tree, "rev-parse", "main")]]),
    symbolic: new Set(),
    head: "refs/heads/main",
  });
  return { url, tree, tip: await git(tree, "rev-parse", "main") };
}

/** A v0 request for `oid`, complete with `done`. */
function wants(oid: string, capabilities = "side-band-64k ofs-delta no-progress"): Uint8Array {
  return joinBytes([encodePkt(`want ${oid} ${capabilities}\n`), flushPkt(), encodePkt("done\n")]);
}

function post(url: string, body: Uint8Array, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/git-upload-pack`, { method: "POST", body: body as BodyInit, headers });
}

Deno.test("G-1 G-2 IO-10 the v0 advertisement of an empty repository names its capabilities", () =>
  withService(async ({ create }) => {
    const url = await create("x");
    for (const headers of [{}, { "Git-Protocol": "version=1" }] as Record<string, string>[]) {
      const response = await fetch(`${url}/info/refs?service=git-upload-pack`, { headers });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "application/x-git-upload-pack-advertisement");
      assert.equal(
        response.headers.get("cache-control"),
        "no-cache, max-age=0, must-revalidate, no-transform",
      );
      const body = await response.text();
      assert.ok(body.startsWith("001e# service=git-upload-pack\n0000"));
      assert.match(body, /0{40} capabilities\^\{\}\0/);
      for (const name of ["allow-tip-sha1-in-want", "allow-reachable-sha1-in-want", "filter"]) {
        assert.match(body, new RegExp(` ${name}[ \n]`));
      }
      assert.ok(body.endsWith("\n0000") && !body.includes("symref="));
    }
  }));

Deno.test("G-3 the receive-pack advertisement always has its service header, also for version 2", () =>
  withService(async ({ create }) => {
    const url = `${await create("x")}/info/refs?service=git-receive-pack`;
    for (const headers of [{}, { "Git-Protocol": "version=2" }] as Record<string, string>[]) {
      const body = await text(url, { headers });
      assert.ok(body.startsWith("001f# service=git-receive-pack\n0000"));
      assert.ok(!body.includes("version 2") && !body.includes("push-cert"));
      for (const name of ["atomic", "report-status-v2", "side-band-64k", "delete-refs", "push-options"]) {
        assert.ok(body.includes(name), name);
      }
    }
  }));

Deno.test("G-4 the service may be anywhere in the query; without it there is nothing", () =>
  withService(async ({ create, url }) => {
    const base = await create("x");
    assert.equal(await statusOf(`${base}/info/refs?x=1&service=git-upload-pack`), 200);
    assert.equal(await statusOf(`${base}/info/refs?service=git%2Dupload-pack`), 200);
    const paths = [
      "info/refs",
      "info/refs?service=git-evil",
      "info/refs?service=",
      "HEAD",
      "objects/info/packs",
      "git-upload-archive",
    ];
    for (const path of paths) assert.equal(await statusOf(`${base}/${path}`), 404, path);
    const missing = await fetch(`${url("missing")}/info/refs?service=git-upload-pack`);
    assert.equal(missing.status, 404);
    assert.equal(await missing.text(), "Git error: repository not found\n");
  }));

Deno.test("G-8 HEAD on info/refs equals GET without the body", () =>
  withService(async (service) => {
    const { url } = await filled(service);
    for (const query of ["?service=git-upload-pack", "?service=git-receive-pack", ""]) {
      const [get, head] = [
        await fetch(`${url}/info/refs${query}`),
        await fetch(`${url}/info/refs${query}`, { method: "HEAD" }),
      ];
      await get.text();
      assert.equal(head.status, get.status);
      assert.equal(await head.text(), "");
      for (const name of ["content-type", "cache-control", "pragma", "expires", "x-content-type-options"]) {
        assert.equal(head.headers.get(name), get.headers.get(name), name);
      }
    }
  }));

Deno.test("G-9 a wrong method is answered 405 with Allow", () =>
  withService(async ({ create }) => {
    const url = await create("x");
    for (
      const [method, path, allow] of [
        ["GET", "git-upload-pack", "POST"],
        ["PUT", "git-receive-pack", "POST"],
        ["DELETE", "info/refs", "GET, HEAD"],
      ] as const
    ) {
      const response = await fetch(`${url}/${path}`, { method });
      await response.text();
      assert.equal(response.status, 405);
      assert.equal(response.headers.get("allow"), allow);
    }
  }));

Deno.test("G-14 IO-9 clones work with every protocol version, empty and filled", () =>
  withService(async (service) => {
    const { url, tip } = await filled(service);
    const empty = await service.create("empty");
    for (const version of [0, 1, 2]) {
      const option = `protocol.version=${version}`;
      const clone = `${service.directory}/clone-${version}`;
      await git(service.directory, "-c", option, "clone", "-q", url, clone);
      assert.equal(await git(clone, "rev-parse", "HEAD"), tip);
      const blank = await tryGit(service.directory, "-c", option, "clone", empty, `${clone}-empty`);
      assert.equal(blank.code, 0, blank.stderr);
      assert.match(blank.stderr, /appear to have cloned an empty repository/);
      const list = await git(service.directory, "-c", option, "ls-remote", "--symref", url);
      assert.match(list, /^ref: refs\/heads\/main\tHEAD$/m);
    }
    const odd = await text(`${url}/info/refs?service=git-upload-pack`, {
      headers: { "Git-Protocol": "x y;`z`" },
    });
    assert.ok(odd.startsWith("001e#"));
    const v2 = await text(`${url}/info/refs?service=git-upload-pack`, {
      headers: { "Git-Protocol": "version=2" },
    });
    assert.ok(v2.startsWith("000eversion 2\n"));
  }));

Deno.test("G-15 gzip bodies are unpacked, several members included; corrupt ones are refused", () =>
  withService(async (service) => {
    const { url, tip } = await filled(service);
    const body = wants(tip);
    const isPack = async (response: Response) => {
      assert.equal(response.status, 200);
      const answer = new TextDecoder("latin1").decode(await response.arrayBuffer());
      assert.ok(answer.startsWith("0008NAK\n") && answer.includes("PACK") && answer.endsWith("0000"));
    };
    await isPack(await post(url, body));
    const members = joinBytes([gzipSync(body.subarray(0, 20)), gzipSync(body.subarray(20))]);
    for (const [packed, encoding] of [[gzipSync(body), "gzip"], [members, "X-GZIP"]] as const) {
      const response = await post(url, packed, { "Content-Encoding": encoding });
      await isPack(response);
    }
    await isPack(await post(url, body, { "Content-Encoding": "identity" }));
    for (const corrupt of [body, gzipSync(body).subarray(0, 30)]) {
      const response = await post(url, corrupt, { "Content-Encoding": "gzip" });
      assert.equal(response.status, 400);
      await response.text();
    }
    const other = await post(url, brotliCompressSync(body), { "Content-Encoding": "br" });
    assert.equal(other.status, 415);
    await other.text();
    const nothing = await post(url, new Uint8Array());
    assert.equal(nothing.status, 400);
    await nothing.text();
  }));

Deno.test("a gzip bomb and a body over the limit are answered 413", () =>
  withService(async (service) => {
    const { url } = await filled(service);
    const bomb = gzipSync(joinBytes(
      Array.from({ length: 40 }, () => encodePkt("x".repeat(65_000))).concat([
        new Uint8Array(40 << 20),
      ]),
    ));
    assert.ok(bomb.length < 1 << 20);
    // A long list of valid lines keeps git reading until the limit ends it.
    const line = encodePkt(`want ${"1".repeat(40)}\n`);
    const lines = gzipSync(joinBytes(Array.from({ length: 800_000 }, () => line)));
    for (const body of [bomb, lines]) {
      const response = await post(url, body, { "Content-Encoding": "gzip" });
      const answer = await response.text();
      // git may leave first, over the first bad line; then its error is the answer.
      assert.ok(response.status === 413 || answer.includes("ERR"), `${response.status} ${answer}`);
    }
    assert.equal(service.http.load().active, 0);
  }));

Deno.test("G-16 shallow and partial clones, and fetches of any stored object", () =>
  withService(async (service) => {
    const { url, tree, tip } = await filled(service);
    const at = (name: string) => `${service.directory}/${name}`;
    await git(service.directory, "clone", "-q", "--depth=1", url, at("shallow"));
    assert.equal(await git(at("shallow"), "rev-list", "--count", "HEAD"), "1");
    await git(service.directory, "clone", "-q", "--filter=blob:none", url, at("blobless"));
    await git(service.directory, "clone", "-q", "--filter=tree:0", url, at("treeless"));
    const ancestor = await git(tree, "rev-parse", "main~1");
    const lost = await commitFile(tree, "lost", "lost");
    const path = service.repositories.path(service.ref("x"));
    await git(tree, "push", "-q", path, "main:refs/heads/gone");
    await git(tree, "push", "-q", path, ":refs/heads/gone");
    for (const version of [0, 2]) {
      for (const oid of [tip, ancestor, lost]) {
        const target = at(`fetch-${version}-${oid}`);
        await git(service.directory, "init", "-q", target);
        await git(target, "-c", `protocol.version=${version}`, "fetch", "-q", url, oid);
        assert.equal(await git(target, "rev-parse", "FETCH_HEAD"), oid);
      }
    }
  }));

Deno.test("G-17 an unknown want is answered 200 with ERR not our ref", () =>
  withService(async (service) => {
    const { url } = await filled(service);
    const response = await post(url, wants("1".repeat(40)));
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/x-git-upload-pack-result");
    assert.match(await response.text(), /ERR upload-pack: not our ref 1{40}/);
  }));

Deno.test("G-68 git's complaint about a request names no host path", () =>
  withService(async (service) => {
    const { url } = await filled(service);
    const response = await post(url, new TextEncoder().encode("zzzz"));
    const answer = await response.text();
    assert.equal(response.status, 200);
    assert.match(answer, /^[0-9a-f]{4}ERR .*\n$/);
    assert.ok(!answer.includes(service.directory));
    // A broken repository makes git print the name of a file.
    const path = service.repositories.path(service.ref("x"));
    const head = await git(service.directory, `--git-dir=${path}`, "rev-parse", "main");
    for await (const entry of Deno.readDir(`${path}/objects/pack`)) {
      if (entry.name.endsWith(".pack")) {
        await Deno.writeTextFile(`${path}/objects/pack/${entry.name}`, "broken");
      }
    }
    const loose = `${path}/objects/${head.slice(0, 2)}/${head.slice(2)}`;
    await Deno.chmod(loose, 0o644).then(() => Deno.writeTextFile(loose, "broken")).catch(() => {});
    const broken = await tryGit(service.directory, "clone", url, `${service.directory}/broken`);
    assert.notEqual(broken.code, 0);
    assert.ok(!broken.stderr.includes(`${service.directory}/git`), broken.stderr);
  }));

Deno.test("G-19 a client that leaves a clone ends its child", () =>
  withService(async (service) => {
    const { tree } = await filled(service);
    await commitFile(tree, "big", crypto.getRandomValues(new Uint8Array(1 << 16)));
    const big = new Uint8Array(24 << 20);
    for (let offset = 0; offset < big.length; offset += 1 << 16) {
      crypto.getRandomValues(big.subarray(offset, offset + (1 << 16)));
    }
    const tip = await commitFile(tree, "bigger", big);
    await git(tree, "push", "-q", service.repositories.path(service.ref("x")), "main");
    const response = await post(service.url("x"), wants(tip));
    const reader = response.body!.getReader();
    await reader.read();
    assert.equal(service.git.running, 1);
    assert.equal(service.http.load().active, 1);
    await reader.cancel();
    const deadline = Date.now() + 5_000;
    while (service.git.running > 0 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(service.git.running, 0);
    assert.equal(service.http.load().active, 0);
    assert.equal(service.repositories.uses(service.ref("x")), 0);
  }));

Deno.test("without a free process a request waits, then is answered 503 with Retry-After", () =>
  withService(async (service) => {
    const { url, tip } = await filled(service);
    const first = await post(url, wants(tip, "side-band-64k no-progress"));
    const connection = await Deno.connect({ port: service.port });
    const { pathname } = new URL(url);
    // A request whose body never ends keeps its child waiting, unless it is read first for the pack cache.
    const want = new TextDecoder().decode(encodePkt(`want ${tip} side-band-64k\n`));
    await first.arrayBuffer();
    await connection.write(
      new TextEncoder().encode(
        `POST ${pathname}/git-upload-pack HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n${want}`,
      ),
    );
    while (service.http.load().active === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const refused = await fetch(`${url}/info/refs?service=git-upload-pack`);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get("retry-after"), "5");
    await refused.text();
    connection.close();
    while (service.http.load().active > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(await statusOf(`${url}/info/refs?service=git-upload-pack`), 200);
  }, { maxGitProcesses: 1, packCacheBytes: 0 }));
