import assert from "node:assert/strict";
import { createGit, createGitHttp, parseContributionPath, Repositories } from "../../lib/git/mod.ts";
import { encodeNpub } from "../../lib/nostr/mod.ts";
import { systemClock, systemRandom } from "../../lib/world/mod.ts";
import { git } from "../support/git_client.ts";
import { withTempDirectory } from "../support/temp.ts";
import { fakeLogger } from "./quiet_log.ts";
import { countStarts, OWNER, ScriptedGate } from "./service.ts";

const NPUB = encodeNpub(OWNER);

interface Bench {
  readonly directory: string;
  readonly repositories: Repositories;
  /** Children started so far. */
  spawned(): number;
  ask(path: string, protocol?: string): Promise<Response>;
}

/** A git service that offers `/prs/`, without a listener. */
async function bench(play: (bench: Bench) => Promise<void>): Promise<void> {
  await withTempDirectory(async (directory) => {
    const limits = { maxPushBytes: 0, maxGitProcesses: 4, gitTimeoutMs: 60_000 };
    const real = await createGit({
      binary: "git",
      homePath: `${directory}/home`,
      clock: systemClock,
      limits,
    });
    const { git: counted, started: spawned } = countStarts(real);
    const repositories = new Repositories({
      git: counted,
      gitDataPath: `${directory}/git`,
      random: systemRandom,
      clock: systemClock,
      log: fakeLogger,
    });
    const http = createGitHttp({
      git: counted,
      repositories,
      gate: new ScriptedGate(),
      clock: systemClock,
      log: fakeLogger,
      limits,
      contributions: { maxPushBytes: 0, released: () => Promise.resolve() },
    });
    await http.prepareContributions();
    const ask = async (path: string, protocol?: string) => {
      const headers = protocol === undefined ? {} : { "Git-Protocol": protocol };
      return (await http.handle(new Request(`http://x${path}`, { headers }), path))!;
    };
    await play({ directory, repositories, spawned, ask });
    await http.stop(1_000);
  });
}

Deno.test("X-40 X-6 discovery of unknown paths starts no child, writes nothing, and says what git says of an empty one", () =>
  bench(async ({ directory, repositories, spawned, ask }) => {
    await repositories.ensure({ owner: OWNER, identifier: "empty" });
    const before = [...Deno.readDirSync(`${directory}/git`)].map(({ name }) => name).sort();
    for (const service of ["git-upload-pack", "git-receive-pack"]) {
      for (const protocol of [undefined, "version=0", "version=1", "version=2"]) {
        const query = `info/refs?service=${service}`;
        const started = spawned();
        const answers = [];
        for (let n = 0; n < 5; n++) answers.push(await ask(`/prs/${NPUB}/any-${n}.git/${query}`, protocol));
        assert.equal(spawned(), started);
        const hosted = await ask(`/${NPUB}/empty.git/${query}`, protocol);
        const expected = await hosted.text();
        for (const answer of answers) {
          assert.equal(answer.status, 200);
          assert.equal(answer.headers.get("content-type"), hosted.headers.get("content-type"));
          assert.equal(await answer.text(), expected, `${service} ${protocol}`);
        }
      }
    }
    assert.equal((await ask(`/prs/${NPUB}/x.git/info/refs`)).status, 404);
    assert.deepEqual([...Deno.readDirSync(`${directory}/git`)].map(({ name }) => name).sort(), before);
    assert.ok(!before.includes("prs"));
  }));

Deno.test("X-4 X-5 only canonical npubs and plain identifiers name a contributor's repository", () => {
  const parse = (path: string) => {
    const parsed = parseContributionPath(path);
    return parsed?.ok ? parsed.ref : parsed?.status;
  };
  const tail = "/info/refs?service=git-upload-pack";
  const ref = (identifier: string) => ({ space: "prs", owner: OWNER, identifier });
  assert.deepEqual(parse(`/prs/${NPUB}/x.git${tail}`), ref("x"));
  assert.deepEqual(parse(`/prs/${NPUB}/a%3Ab%20c.git${tail}`), ref("a:b c"));
  assert.deepEqual(parse(`/prs/${NPUB}/x.git.git${tail}`), ref("x.git"));
  assert.equal(parse(`/${NPUB}/x.git${tail}`), undefined);
  assert.equal(parse(`/prsx/${NPUB}/x.git${tail}`), undefined);
  for (
    const path of [
      `/prs/${OWNER}/x.git`,
      `/prs/${NPUB.toUpperCase()}/x.git`,
      `/prs/${NPUB.slice(0, -1)}q/x.git`,
      `/prs/${NPUB}/x`,
      `/prs/${NPUB}/.git`,
      `/prs/${NPUB}/%2e%2e%2fx.git`,
      `/prs/${NPUB}/..%5cx.git`,
      `/prs/${NPUB}/a%00b.git`,
      `/prs/${NPUB}/...git`,
      `/prs/../${NPUB}/x.git`,
      `/prs//${NPUB}/x.git`,
      `/prs/prs/${NPUB}/x.git`,
      `/prs/${NPUB}/x.git/objects`,
    ]
  ) {
    assert.equal(parse(path + tail), 404, path);
  }
  assert.equal(parse(`/prs/${NPUB}/%zz.git${tail}`), 400);
});

Deno.test("X-36 contributors' repositories live below prs/<hex> and belong to no hosted one", () =>
  bench(async ({ directory, repositories }) => {
    const [hosted, contributed] = [
      { owner: OWNER, identifier: "x" },
      { space: "prs", owner: OWNER, identifier: "x" },
    ] as const;
    assert.equal(repositories.path(contributed), `${directory}/git/prs/${OWNER}/x.git`);
    assert.throws(() => repositories.path({ ...contributed, identifier: "../x" }), /not a repository name/);
    await repositories.ensure(contributed);
    assert.ok(!await repositories.exists(hosted));
    const path = repositories.path(contributed);
    assert.equal(await git(path, "symbolic-ref", "HEAD"), "refs/heads/master");
    const use = repositories.use(contributed);
    assert.deepEqual([repositories.uses(contributed), repositories.uses(hosted)], [1, 0]);
    assert.equal(await repositories.remove(contributed, { force: false }), "in-use");
    use();
    const tree = (await git(path, "hash-object", "-t", "tree", "-w", "/dev/null")).trim();
    await git(path, "update-ref", `refs/nostr/${"a".repeat(64)}`, tree);
    assert.equal(await repositories.remove(contributed, { force: false }), "has-refs");
    await git(path, "update-ref", "-d", `refs/nostr/${"a".repeat(64)}`);
    assert.equal(await repositories.remove(contributed, { force: false }), "removed");
    assert.deepEqual([...Deno.readDirSync(`${directory}/git/prs`)], []);
    assert.equal(repositories.contributionCount, 0);
    await repositories.settled();
  }));
