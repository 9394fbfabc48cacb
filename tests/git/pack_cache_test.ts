import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { commitFile, git, tryGit } from "../support/git_client.ts";
import { eventually } from "../support/temp.ts";
import { fetchV0, fetchV2, type Filled, filled, noise, packIn, post, put, textOf } from "./pack_requests.ts";
import { type Service, withService } from "./service.ts";

const MIB = 1 << 20;

/** Stamps of refs prove something from 50 ms after a change on. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 60));
}

async function cacheFiles(service: Service): Promise<string[]> {
  const folder = `${service.directory}/git/.pack-cache`;
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
  return entries.map(({ name }) => name).sort();
}

/** Asks for `main` until the answer is kept; returns it. */
async function warm(service: Service, { url, tip }: Filled): Promise<string> {
  const answer = await textOf(await post(url, fetchV2([tip])));
  await eventually("the answer is kept", async () => (await cacheFiles(service)).includes("2.pack"));
  return answer;
}

Deno.test("G-16 clones at one time cost one git child, later ones none, with every protocol version", () =>
  withService(async (service) => {
    const { url, tip } = await filled(service, "x", MIB);
    await settle();
    for (const version of ["0", "1", "2"]) {
      const clone = (name: string) =>
        git(service.directory, "-c", `protocol.version=${version}`, "clone", "-q", url, name);
      await git(service.directory, "ls-remote", url);
      const before = service.answered.length;
      await Promise.all(Array.from({ length: 6 }, (_, n) => clone(`${version}-${n}`)));
      const answered = service.answered.slice(before);
      assert.equal(answered.filter((result) => result === "miss").length, 1, answered.join());
      assert.ok(!answered.includes("bypass"), answered.join());
      const started = service.started();
      await clone(`${version}-last`);
      assert.equal(service.started(), started);
      assert.equal(service.answered.at(-1), "hit");
      for (const name of ["0", "5", "last"]) {
        const target = `${service.directory}/${version}-${name}`;
        await git(target, "fsck", "--full");
        assert.equal(await git(target, "rev-parse", "HEAD"), tip);
      }
    }
    assert.deepEqual([...new Set(service.operations)], ["clone success"]);
    assert.equal(service.operations.length, service.answered.length);
    assert.ok(service.http.packCacheBytes() >= 3 * MIB);
    assert.equal(service.repositories.uses(service.ref("x")), 0);
  }));

Deno.test("requests that differ only in what clients say about themselves share an answer, packed or not", () =>
  withService(async (service) => {
    const { url, tip } = await filled(service, "x");
    await settle();
    const first = await textOf(await post(url, fetchV2([tip])));
    const headers = { "Git-Protocol": "version=2" };
    const gzip = { ...headers, "Content-Encoding": "gzip" };
    await eventually("kept", async () => (await cacheFiles(service)).length === 1);
    const other = fetchV2([tip], [], "JGit/6");
    assert.ok(await textOf(await post(url, other)) === first);
    assert.ok(await textOf(await post(url, gzipSync(other), gzip)) === first);
    assert.deepEqual(service.answered, ["miss", "hit", "hit"]);
    for (const line of ["include-tag", "filter blob:none", "deepen 1"]) {
      await textOf(await post(url, fetchV2([tip], [line])));
      assert.equal(service.answered.at(-1), "miss", line);
    }
    const agents = ["git/1", "git/2"].map((agent) => fetchV0(tip, `side-band-64k agent=${agent}`));
    for (const body of agents) {
      await textOf(await post(url, body, {}));
      await eventually("kept", async () => (await cacheFiles(service)).every((name) => /pack$/.test(name)));
    }
    assert.deepEqual(service.answered.slice(-2), ["miss", "hit"]);
  }));

Deno.test("what only git can answer is not kept: no side-band, want by name, nothing to tell where it ends", () =>
  withService(async (service) => {
    const { url, tip } = await filled(service, "x");
    await settle();
    const open = fetchV2([tip]).subarray(0, -4);
    for (const body of [fetchV2([], ["want-ref refs/heads/main"]), open, fetchV2([])]) {
      await textOf(await post(url, body));
      assert.equal(service.answered.at(-1), "bypass");
    }
    await textOf(await post(url, fetchV0(tip, "ofs-delta"), {}));
    assert.deepEqual([service.answered.at(-1), await cacheFiles(service)], ["bypass", []]);
  }));

Deno.test("G-16 no answer outlives the ref that led to it: removed, replaced, hidden behind a retired repository", () =>
  withService(async (service) => {
    const repository = await filled(service, "x");
    const { url, tree, tip } = repository;
    const side = await commitFile(tree, "side", "side");
    await put(service, "x", tree, "main:refs/heads/side");
    await settle();
    const ask = async (oid: string) => {
      const text = await textOf(await post(url, fetchV2([oid])));
      return [service.answered.at(-1), text.includes("PACK")];
    };
    assert.deepEqual(await ask(side), ["miss", true]);
    await eventually("kept", async () => (await cacheFiles(service)).includes("2.pack"));
    assert.deepEqual(await ask(side), ["hit", true]);
    // git serves any stored object, and stops when it is gone; so must we.
    await put(service, "x", tree, ":refs/heads/side");
    assert.deepEqual(await ask(side), ["bypass", true]);
    const path = service.repositories.path(service.ref("x"));
    await git(service.directory, `--git-dir=${path}`, "-c", "gc.pruneExpire=now", "gc", "-q", "--prune=now");
    assert.deepEqual(await ask(side), ["bypass", false]);
    assert.deepEqual(await ask(tip), ["miss", true]);
    await eventually("kept", async () => (await cacheFiles(service)).every((name) => /pack$/.test(name)));
    await service.repositories.retire(service.ref("x"), "test");
    const response = await post(url, fetchV2([tip]));
    await response.body?.cancel();
    assert.equal(response.status, 404);
    assert.deepEqual(await cacheFiles(service), []);
  }));

Deno.test("G-16 kept answers go when the repository turns out to be damaged: git fails, or a check says so", () =>
  withService(async (service) => {
    for (const way of ["git fails", "a check"]) {
      const repository = await filled(service, way === "a check" ? "x" : "y");
      await settle();
      await textOf(await post(repository.url, fetchV2([repository.tip])));
      await eventually("the answer is kept", async () => (await cacheFiles(service)).length === 1);
      const path = service.repositories.path(service.ref(way === "a check" ? "x" : "y"));
      await Deno.remove(`${path}/objects`, { recursive: true });
      await Deno.mkdir(`${path}/objects/pack`, { recursive: true });
      if (way === "a check") service.repositories.onGone(path);
      else await textOf(await post(repository.url, fetchV2([repository.tip], ["deepen 1"])));
      await eventually("nothing is kept", async () => (await cacheFiles(service)).length === 0);
      assert.match(await textOf(await post(repository.url, fetchV2([repository.tip]))), /ERR|fatal|error/);
    }
  }));

Deno.test("G-16 a request that git refuses for what it says takes no kept answers away", () =>
  withService(async (service) => {
    const repository = await filled(service, "x");
    await settle();
    await warm(service, repository);
    for (const line of ["nonsense", "deepen -1", "filter nonsense", "deepen-not nowhere"]) {
      await textOf(await post(repository.url, fetchV2([repository.tip], [line])));
      await settle();
    }
    assert.ok((await cacheFiles(service)).includes("2.pack"));
  }));

Deno.test("fetches with haves are kept from the second equal one on", () =>
  withService(async (service) => {
    const { url, tree, tip } = await filled(service, "x");
    await settle();
    const have = await git(tree, "rev-parse", "main~1");
    const body = fetchV2([tip], [`have ${have}`]);
    const results: unknown[] = [];
    for (let n = 0; n < 3; n++) {
      assert.ok((await textOf(await post(url, body))).includes("PACK"));
      results.push(service.answered.at(-1));
      await eventually("kept", async () => (await cacheFiles(service)).every((name) => /pack$/.test(name)));
    }
    assert.deepEqual(results, ["bypass", "miss", "hit"]);
    assert.deepEqual(service.operations, ["fetch success", "fetch success", "fetch success"]);
  }));

Deno.test("G-19 a client that does not read, and the first one leaving, do not hold up the others", () =>
  withService(async (service) => {
    const { url, tip } = await filled(service, "x", 12 * MIB);
    await settle();
    const body = fetchV2([tip]);
    const leaving = new AbortController();
    const first = await post(url, body, undefined, leaving.signal);
    const stuck = await post(url, body);
    const following = post(url, body).then(textOf);
    await first.body!.getReader().read();
    leaving.abort();
    const whole = await following;
    assert.ok(whole.length > 12 * MIB);
    assert.equal((await textOf(stuck)).length, whole.length);
    await eventually("kept", async () => (await cacheFiles(service)).join() === "2.pack");
    assert.equal(service.git.running, 0);
  }));

Deno.test("G-19 a child whose clients have all left is ended, and nothing of it stays", () =>
  withService(async (service) => {
    const { url, tip } = await filled(service, "x");
    await settle();
    await git(service.directory, "ls-remote", url);
    const leaving = new AbortController();
    const asking = [0, 1].map(() => post(url, fetchV2([tip]), undefined, leaving.signal).catch(() => {}));
    await eventually("both wait for git", () => service.answered.length === 2 && service.git.running === 1);
    leaving.abort();
    await Promise.all(asking);
    await eventually("the child is gone", () => service.git.running === 0);
    await eventually("the file is gone", async () => (await cacheFiles(service)).length === 0);
    assert.deepEqual([service.http.load().active, service.http.packCacheBytes()], [0, 0]);
    assert.equal(service.repositories.uses(service.ref("x")), 0);
  }, { script: SLOW_FETCH }));

/** A git that thinks for long about every pack. */
const SLOW_FETCH = `if [ "$1" = upload-pack ]; then
  request=$(mktemp) && cat > "$request"
  grep -q command=fetch "$request" && { rm "$request"; exec sleep 60; }
  git "$@" < "$request"; code=$?; rm "$request"; exit $code
fi
exec git "$@"`;

/** A git that gives the answer of git with \`change\` applied; \`change\` ends the child. */
function spoilt(change: string): string {
  return `if [ "$1" = upload-pack ]; then
  request=$(mktemp) && cat > "$request"
  if grep -q command=fetch "$request"; then git "$@" < "$request" > "$request.out"; ${change}; fi
  git "$@" < "$request"; exit
fi
exec git "$@"`;
}

for (
  const [what, change] of [
    ["is killed", 'head -c 900 "$request.out"; kill -9 $$'],
    ["ends badly", 'cat "$request.out"; exit 128'],
    ["stops early", 'head -c -4 "$request.out"; exit 0'],
    ["complains in the side-band", `printf '000bpackfile\\n0010\\003not today000a\\001PACK0000'; exit 0`],
    ["refuses", `printf '000eERR nope\\n'; exit 0`],
    ["says nothing", "exit 1"],
  ] as const
) {
  Deno.test(`an answer is not kept when git ${what}`, () =>
    withService(async (service) => {
      const { url, tip } = await filled(service, "x", 4_000);
      await settle();
      for (let n = 0; n < 2; n++) {
        await post(url, fetchV2([tip])).then(textOf).catch(() => {});
        assert.equal(service.answered.at(-1), "miss");
        await eventually("removed", async () => (await cacheFiles(service)).length === 0);
      }
      assert.equal(service.http.packCacheBytes(), 0);
    }, { script: spoilt(change) }));
}

Deno.test("an answer too large to keep still goes to all who share it, and later ones pass the cache by", () =>
  withService(async (service) => {
    const { url, tip } = await filled(service, "x", 6 * MIB);
    await settle();
    await git(service.directory, "ls-remote", url);
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => post(url, fetchV2([tip])).then(textOf)),
    );
    assert.ok(answers.every((answer) => answer.length > 6 * MIB && answer === answers[0]));
    assert.ok(service.answered.includes("miss"));
    await eventually("removed", async () => (await cacheFiles(service)).length === 0);
    const again = await textOf(await post(url, fetchV2([tip])));
    assert.ok(packIn(again) === packIn(answers[0]!));
    assert.equal(service.answered.at(-1), "bypass");
  }, { packCacheBytes: 4 * MIB }));

Deno.test("the answers together stay within the limit: the one used longest ago goes first", () =>
  withService(async (service) => {
    const all = await Promise.all(["a", "b", "c"].map((name) => filled(service, name, MIB)));
    await settle();
    const ask = async ({ url, tip }: Filled) => {
      await textOf(await post(url, fetchV2([tip])));
      await eventually("kept", async () => (await cacheFiles(service)).every((name) => /pack$/.test(name)));
      assert.ok(service.http.packCacheBytes() <= 3 * MIB);
      return service.answered.at(-1);
    };
    const [a, b, c] = all as [Filled, Filled, Filled];
    const results: unknown[] = [];
    for (const one of [a, b, a, c, a, b]) results.push(await ask(one));
    assert.deepEqual(results, ["miss", "miss", "hit", "miss", "hit", "miss"]);
    assert.equal((await cacheFiles(service)).length, 2);
  }, { packCacheBytes: 3 * MIB }));

Deno.test("files that were cut or deleted are not served, and a folder that is gone comes back", () =>
  withService(async (service) => {
    const repository = await filled(service, "x", MIB);
    await settle();
    const pack = packIn(await warm(service, repository));
    const ask = async () => packIn(await textOf(await post(repository.url, fetchV2([repository.tip]))));
    const folder = `${service.directory}/git/.pack-cache`;
    await Deno.truncate(`${folder}/2.pack`, 100);
    assert.ok(await ask() === pack);
    await eventually("kept", async () => (await cacheFiles(service)).join() === "4.pack");
    await Deno.remove(folder, { recursive: true });
    assert.ok(await ask() === pack);
    assert.deepEqual(service.answered, ["miss", "miss", "miss"]);
    await eventually("kept", async () => (await cacheFiles(service)).join() === "6.pack");
    await service.http.clearPackCache();
    assert.deepEqual(await cacheFiles(service), []);
  }));

Deno.test("without room on the disk, or switched off, nothing is written", async () => {
  for (const options of [{ hasSpace: () => Promise.resolve(false) }, { packCacheBytes: 0 }]) {
    await withService(async (service) => {
      const { url, tip } = await filled(service, "x");
      await settle();
      for (let n = 0; n < 2; n++) assert.ok((await textOf(await post(url, fetchV2([tip])))).includes("PACK"));
      assert.deepEqual(service.answered, ["bypass", "bypass"]);
      assert.deepEqual(await cacheFiles(service), []);
    }, options);
  }
});

Deno.test("G-62 clones beside pushes get what the refs say, whole", () =>
  withService(async (service) => {
    const { url, tree } = await filled(service, "x");
    const known = new Set([await git(tree, "rev-parse", "main")]);
    let isPushing = true;
    const pushing = (async () => {
      for (let n = 0; n < 8; n++) {
        known.add(await commitFile(tree, `file${n}`, noise(20_000)));
        await put(service, "x", tree, "main", ...(n % 2 === 0 ? ["main:refs/tags/t"] : [":refs/tags/t"]));
      }
    })().finally(() => isPushing = false);
    for (let n = 0; isPushing; n++) {
      const target = `${service.directory}/clone-${n}`;
      const { code, stderr } = await tryGit(service.directory, "clone", "-q", url, target);
      assert.equal(code, 0, stderr);
      await git(target, "fsck", "--full");
      assert.ok(known.has(await git(target, "rev-parse", "HEAD")));
    }
    await pushing;
    await git(service.directory, "clone", "-q", url, "last");
    assert.equal(
      await git(`${service.directory}/last`, "rev-parse", "HEAD"),
      await git(tree, "rev-parse", "main"),
    );
  }));
