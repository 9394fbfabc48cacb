import assert from "node:assert/strict";
import { git, tryGit } from "../support/git_client.ts";
import { put } from "./pack_requests.ts";
import { type Dice, dice } from "./random_repository.ts";
import { type Service, withService } from "./service.ts";

/** Enough for every way to clone. */
const ROUNDS = 4;

/** A work tree with branches that join, tags on them, and files that change. */
async function randomTree(directory: string, roll: Dice): Promise<string> {
  const blob = (mark: number) => {
    const text = Array.from({ length: 1 + roll(40) }, () => `line ${roll(1_000)}\n`).join("");
    return `blob\nmark :${mark}\ndata ${text.length}\n${text}\n`;
  };
  const stream: string[] = [];
  const commits = 8 + roll(20);
  for (let n = 1; n <= commits; n++) {
    const branch = roll(3);
    stream.push(blob(1_000 + n));
    stream.push(
      `commit refs/heads/${["main", "a", "b/c"][branch]}\nmark :${n}\n` +
        `committer A <a@example.com> ${1_700_000_000 + n * 60} +0000\ndata 2\nc\n` +
        (n > 1 ? `from :${1 + roll(n - 1)}\n` : "") +
        (n > 4 && roll(3) === 0 ? `merge :${1 + roll(n - 1)}\n` : "") +
        `M 100644 :${1_000 + n} dir${roll(3)}/file${roll(5)}\n\n`,
    );
    if (roll(4) === 0) {
      stream.push(
        `tag t${n}\nfrom :${n}\ntagger A <a@example.com> ${1_700_000_000 + n * 60} +0000\ndata 2\nt\n`,
      );
    } else if (roll(6) === 0) stream.push(`reset refs/tags/l${n}\nfrom :${n}\n\n`);
  }
  stream.push(`reset refs/heads/main\nfrom :${commits}\n\n`);
  await Deno.mkdir(directory, { recursive: true });
  await git(directory, "init", "-q", "-b", "main");
  await fastImport(directory, stream);
  return directory;
}

async function fastImport(directory: string, stream: readonly string[]): Promise<void> {
  const child = new Deno.Command("git", {
    args: ["fast-import", "--quiet", "--force"],
    cwd: directory,
    stdin: "piped",
    stderr: "null",
  }).spawn();
  await ReadableStream.from(stream).pipeThrough(new TextEncoderStream()).pipeTo(child.stdin);
  assert.ok((await child.status).success);
}

/** Ways to clone. */
const CLONES: readonly (readonly string[])[] = [
  [],
  ["--mirror"],
  ["--single-branch", "-b", "a"],
  ["--no-tags"],
  ["--depth=1"],
  ["--depth=3", "--no-single-branch"],
  ["--shallow-since=1700000400"],
  ["--shallow-exclude=a"],
  ["--filter=blob:none", "--no-checkout"],
  ["--filter=tree:0", "--bare"],
  ["--filter=blob:limit=100", "--no-checkout"],
];

/** What a repository holds: refs, every object that is there, and where its history is cut. */
async function contents(directory: string): Promise<string> {
  await git(directory, "fsck", "--full", "--no-dangling");
  const objects = await git(
    directory,
    "rev-list",
    "--objects",
    "--all",
    "HEAD",
    "--missing=print",
    "--no-object-names",
  );
  const cuts = await Promise.all(
    [".git/shallow", "shallow"].map((name) => Deno.readTextFile(`${directory}/${name}`).catch(() => "")),
  );
  return [
    await git(directory, "for-each-ref"),
    objects.split("\n").sort().join("\n"),
    ...cuts,
  ].join("\n");
}

/** The same steps against one service; what each left on the client, or why git refused. */
async function transcript(service: Service, seed: number): Promise<readonly string[]> {
  const roll = dice(seed);
  const url = await service.create("x");
  const tree = await randomTree(`${service.directory}/tree`, roll);
  await put(service, "x", tree, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*");
  const path = service.repositories.path(service.ref("x"));
  await git(service.directory, `--git-dir=${path}`, "symbolic-ref", "HEAD", "refs/heads/main");
  await new Promise((resolve) => setTimeout(resolve, 60));
  const log: string[] = [];
  const step = async (target: string, ...args: string[]) => {
    const { code, stderr } = await tryGit(service.directory, ...args);
    log.push(
      code === 0 ? await contents(`${service.directory}/${target}`) : stderr.replaceAll(service.origin, ""),
    );
  };
  const version = `protocol.version=${roll(2) * 2}`;
  for (let n = 0; n < 3; n++) {
    const way = CLONES[(seed * 3 + n) % CLONES.length]!;
    // Each twice: the second is answered from the cache.
    for (const target of [`${n}-first`, `${n}-second`]) {
      await step(target, "-c", version, "clone", "-q", ...way, url, target);
    }
  }
  // A branch goes, another moves; both clones catch up.
  await fastImport(tree, [
    "commit refs/heads/main\ncommitter A <a@example.com> 1800000000 +0000\ndata 4\nmore\n" +
    "from refs/heads/main^0\nM 100644 inline more\ndata 4\nmore\n\n",
  ]);
  await put(service, "x", tree, "main", ":refs/heads/a");
  await new Promise((resolve) => setTimeout(resolve, 60));
  for (const target of ["0-first", "0-second"]) {
    await step(target, "-c", version, "-C", target, "fetch", "-q", "--prune", "origin");
  }
  await step("after", "-c", version, "clone", "-q", url, "after");
  return log;
}

Deno.test("G-14 G-16 random clones and fetches leave the same with the pack cache as without it", async () => {
  let fromCache = 0;
  for (let seed = 0; seed < ROUNDS; seed++) {
    let cached: readonly string[] = [];
    let direct: readonly string[] = [];
    await withService(async (service) => {
      cached = await transcript(service, seed);
      fromCache += service.answered.filter((result) => result === "hit").length;
    });
    await withService(async (service) => {
      direct = await transcript(service, seed);
      assert.ok(service.answered.every((result) => result === "bypass"));
    }, { packCacheBytes: 0 });
    assert.deepEqual(cached, direct, `seed ${seed}`);
  }
  assert.ok(fromCache >= ROUNDS * 2, `${fromCache} hits`);
});
