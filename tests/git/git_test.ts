import assert from "node:assert/strict";
import { createGit } from "../../lib/git/mod.ts";
import { ProcessGate } from "../../lib/git/process_gate.ts";
import { gitSettings, parseGitVersion } from "../../lib/git/settings.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { eventually, withTempDirectory } from "../support/temp.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { pretendGit } from "./pretend_git.ts";
import { withService } from "./service.ts";

const limits = { maxPushBytes: 1000 };

Deno.test("a missing, foreign or old git is refused with one sentence", () =>
  withTempDirectory(async (directory) => {
    const create = (binary: string) =>
      createGit({ binary, homePath: `${directory}/home`, clock: systemClock, limits });
    await assert.rejects(create("no-such-git"), /^Error: git not found \(NGIT_GIT_BINARY=no-such-git\)$/);
    await assert.rejects(create("/bin/true"), /git could not be run/);
    await assert.rejects(
      create(await pretendGit(directory, "", "2.33.9")),
      /git 2.33.9 is too old: 2.34 or newer/,
    );
    const { version } = await create("git");
    assert.ok(version.major >= 2);
    assert.equal(parseGitVersion("git version 2.45.0.windows.1\n")?.minor, 45);
  }));

Deno.test("durability settings fit the version of git", () => {
  const keys = (text: string) => gitSettings(parseGitVersion(`git version ${text}`)!, 5).map(([key]) => key);
  assert.ok(keys("2.35.1").includes("core.fsyncObjectFiles") && !keys("2.35.1").includes("core.fsync"));
  assert.ok(keys("2.36.0").includes("core.fsync"));
});

Deno.test("G-22 a child's environment holds nothing of ours", () =>
  withTempDirectory(async (directory) => {
    const binary = await pretendGit(directory, "env");
    const git = await createGit({ binary, homePath: `${directory}/home`, clock: systemClock, limits });
    const { stdout } = await git.run(["x"], { timeoutMs: 5_000 });
    const names = new TextDecoder().decode(stdout).trim().split("\n").map((line) => line.split("=")[0]!);
    const rest = names.filter((name) => !/^(GIT_CONFIG_(KEY|VALUE)_\d+|PWD|SHLVL|_|OLDPWD)$/.test(name))
      .sort();
    assert.deepEqual(rest, [
      "GIT_ALLOW_PROTOCOL",
      "GIT_ASKPASS",
      "GIT_CONFIG_COUNT",
      "GIT_CONFIG_GLOBAL",
      "GIT_CONFIG_NOSYSTEM",
      "GIT_TERMINAL_PROMPT",
      "HOME",
      "LC_ALL",
      "PATH",
    ]);
  }));

Deno.test("a child over its deadline gets TERM, and KILL 5 seconds later, with its helpers", () =>
  withTempDirectory(async (directory) => {
    const clock = new VirtualClock();
    const marker = `${directory}/term`;
    const binary = await pretendGit(
      directory,
      `trap 'touch ${marker}' TERM\necho up\nwhile :; do sleep 0.05; done`,
    );
    const git = await createGit({ binary, homePath: `${directory}/home`, clock, limits });
    const running = git.run(["x"], { timeoutMs: 1_000 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await clock.advance(1_000);
    await eventually("TERM was received", () => Deno.stat(marker).then(() => true, () => false));
    assert.equal(git.running, 1);
    await clock.advance(5_000);
    const result = await running;
    assert.equal(result.stopped, "timeout");
    assert.equal(result.code, 128 + 9);
    assert.equal(git.running, 0);
  }));

Deno.test("output, errors and patience are bounded", () =>
  withTempDirectory(async (directory) => {
    const home = `${directory}/home`;
    const flood = await createGit({
      binary: await pretendGit(directory, "yes"),
      homePath: home,
      clock: systemClock,
      limits,
    });
    const result = await flood.run(["x"], { timeoutMs: 20_000, maxOutputBytes: 100_000 });
    assert.equal(result.stopped, "output");
    assert.ok(result.stdout.length <= 100_000);
    const chatty = await pretendGit(directory, "yes | head -c 100000 >&2; echo end >&2");
    const errors = await createGit({ binary: chatty, homePath: home, clock: systemClock, limits });
    const { stderr } = await errors.run(["x"], { timeoutMs: 20_000, input: "x".repeat(1 << 20) });
    assert.equal(stderr.length, 8192);
    assert.ok(stderr.endsWith("end\n"));
    const stop = new AbortController();
    const slow = flood.run(["x"], { timeoutMs: 20_000, maxOutputBytes: 1 << 30, signal: stop.signal });
    stop.abort();
    assert.equal((await slow).stopped, "aborted");
  }));

Deno.test("places are given in order, and a wait ends after its limit", async () => {
  const clock = new VirtualClock();
  const gate = new ProcessGate(() => 1, 30_000, clock);
  const first = await gate.enter();
  const order: number[] = [];
  const waiting = [1, 2, 3].map((number) =>
    gate.enter().then((leave) => (order.push(leave ? number : -number), leave))
  );
  const impatient = new AbortController();
  const gone = gate.enter(impatient.signal);
  impatient.abort();
  assert.equal(await gone, undefined);
  assert.equal(gate.waiting, 3);
  first!();
  first!();
  (await waiting[0])!();
  await waiting[1];
  await clock.advance(30_000);
  assert.equal(await waiting[2], undefined);
  assert.deepEqual(order, [1, 2, -3]);
  assert.equal(gate.active, 1);
  (await waiting[1])!();
  assert.equal(gate.active, 0);
});

Deno.test("P-37 G-23 nothing of a request appears unchecked in an argument list", () =>
  withService(async (service) => {
    await service.create("x");
    const { settings } = service.git as unknown as { settings: () => [string, string][] };
    assert.ok(settings().some(([key, value]) => key === "safe.directory" && value === "*"));
    const response = await fetch(`${service.url("x")}/info/refs?service=--upload-pack%3Dtouch`);
    assert.equal(response.status, 404);
    await response.text();
  }));
