import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { commitFile, git, tryGit } from "../support/git_client.ts";
import { ServerProcess, workingCopyCommand } from "../support/server_process.ts";
import { eventually, withTempDirectory } from "../support/temp.ts";
import { announced, declareAll, hosted, pushAll, type Scene, scene } from "./support.ts";

/** Samples of the server by series name; a rendering is shared for a second, so callers wait. */
async function scrape({ server }: Pick<Scene, "server">): Promise<Map<string, number>> {
  const text = await (await fetch(`${server.httpUrl}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((
      line,
    ) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

const OPERATIONS = /^ngit_git_(?:operations_total|push_authorization_total)/;

/** Git counters above zero. */
async function counted(stage: Scene): Promise<Record<string, number>> {
  const samples = [...await scrape(stage)].filter(([name, value]) => OPERATIONS.test(name) && value > 0);
  return Object.fromEntries(
    samples.map(([name, value]) => [name.replace(/^ngit_git_/, "").replaceAll('"', ""), value]),
  );
}

async function becomes(stage: Scene, expected: Record<string, number>): Promise<void> {
  let found: Record<string, number> = {};
  await eventually("the counters settle", async () => {
    found = await counted(stage);
    return JSON.stringify(Object.entries(found).sort()) === JSON.stringify(Object.entries(expected).sort());
  }).catch(() => deepStrictEqual(found, expected));
}

Deno.test("M-5 M-6 a push counts once, refused or not; a clone and a fetch count as what they are", () =>
  scene(async (stage) => {
    const repository = await announced(stage, "count");
    const { work, url } = repository;
    ok((await tryGit(work, "push", url, "main")).code !== 0);
    const denied = {
      "operations_total{operation=push,status=denied}": 1,
      "push_authorization_total{result=denied}": 1,
    };
    await becomes(stage, denied);
    await declareAll(stage.relay, repository, "purgatory:", Math.floor(Date.now() / 1000) - 10);
    await pushAll(repository);
    const pushed = {
      ...denied,
      "operations_total{operation=push,status=success}": 1,
      "push_authorization_total{result=allowed}": 1,
    };
    await becomes(stage, pushed);
    await git(stage.directory, "clone", "-q", url, `${stage.directory}/clone`);
    const cloned = { ...pushed, "operations_total{operation=clone,status=success}": 1 };
    await becomes(stage, cloned);
    await commitFile(work, "more", "more\n");
    await declareAll(stage.relay, repository, "purgatory:");
    await pushAll(repository);
    await git(`${stage.directory}/clone`, "pull", "-q");
    await becomes(stage, {
      ...cloned,
      "operations_total{operation=push,status=success}": 2,
      "push_authorization_total{result=allowed}": 2,
      "operations_total{operation=fetch,status=success}": 1,
    });
  }));

Deno.test("M-11 a server started from a working copy names the commit it stands at", () =>
  withTempDirectory(async (directory) => {
    const root = new URL("../../", import.meta.url).pathname;
    const { code, stdout } = await tryGit(root, "rev-parse", "HEAD");
    const commit = code === 0 ? stdout.trim() : "unknown";
    const server = await ServerProcess.start({ dataPath: directory, program: workingCopyCommand() });
    try {
      const build = [...(await scrape({ server })).keys()].find((name) => name.startsWith("ngit_build_info"));
      match(build ?? "", new RegExp(`commit="${commit}"`));
    } finally {
      await server.stop();
    }
  }));

Deno.test("database, disk and jobs of a running server are measured", () =>
  scene(async (stage) => {
    await hosted(stage, "measured");
    await stage.relay.query({ kinds: [30617] });
    const samples = await scrape(stage);
    const value = (name: string) => samples.get(name) ?? 0;
    for (const op of ["read", "write", "delete"]) {
      ok(value(`ngit_db_query_duration_seconds_count{op="${op}"}`) > 0, op);
    }
    for (const volume of ["git", "relay"]) {
      const free = value(`ngit_disk_free_bytes{volume="${volume}"}`);
      ok(free > 0 && free < value(`ngit_disk_total_bytes{volume="${volume}"}`), volume);
    }
    for (
      const job of [
        "expired_events",
        "deleted_retention",
        "rejected_hot",
        "rejected_cold",
        "prs_startup_scan",
      ]
    ) {
      ok(value(`ngit_job_runs_total{job="${job}",result="success"}`) > 0, job);
      ok(value(`ngit_job_last_success_timestamp_seconds{job="${job}"}`) > 1.7e9, job);
    }
  }, { NGIT_GRASP06_ENABLE: "true" }));

Deno.test("M-7 M-10 H-40 bytes of a push are counted once, and repositories without a walk", () =>
  scene(async (stage) => {
    const repository = await hosted(stage, "bytes");
    const before = (await scrape(stage)).get('ngit_git_bytes_total{direction="in"}') ?? 0;
    const size = 5 * (1 << 20);
    const noise = new Uint8Array(size);
    for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(noise.subarray(at, at + 65_536));
    await commitFile(repository.work, "noise", noise);
    await declareAll(stage.relay, repository, "purgatory:");
    await pushAll(repository);
    await eventually("the bytes are counted", async () => {
      const grown = ((await scrape(stage)).get('ngit_git_bytes_total{direction="in"}') ?? 0) - before;
      return grown >= size && grown <= size * 1.02;
    });
    const samples = await scrape(stage);
    strictEqual(samples.get("ngit_repositories_total"), 1);
    const top = [...samples.keys()].filter((name) => name.startsWith("ngit_git_top_repos_bytes"));
    match(top.join(), new RegExp(`${repository.owner.npub}/bytes`));
  }));
