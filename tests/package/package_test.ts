import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { buildPackage, type Package } from "../../.ci/package.ts";
import { eventually, withTempDirectory } from "../support/temp.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
let directory: string;
let made: Package;

Deno.test.beforeAll(async () => {
  directory = await Deno.makeTempDir({ prefix: "ngit-grasp-test-" });
  made = await buildPackage({ file: `${directory}/ngit-grasp`, level: 1 });
});
Deno.test.afterAll(() => Deno.remove(directory, { recursive: true }));

interface Surroundings {
  readonly cwd?: string;
  readonly file?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The packaged file as a command, with nothing inherited but the search path. */
function command(
  args: readonly string[],
  { cwd = directory, file = made.file, env = {} }: Surroundings = {},
) {
  const path = Deno.env.get("PATH")!;
  return new Deno.Command(file, {
    args: [...args],
    cwd,
    clearEnv: true,
    env: { PATH: path, NO_COLOR: "1", XDG_CACHE_HOME: `${directory}/cache`, ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

async function run(args: readonly string[], surroundings?: Surroundings) {
  const { code, stdout, stderr } = await command(args, surroundings).output();
  const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, stdout: out!, stderr: errors! };
}

async function namesIn(path: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path), ({ name }) => name)).sort();
}

Deno.test("two first starts at once unpack into one private directory and leave nothing else", async () => {
  const env = { XDG_CACHE_HOME: `${directory}/shared` };
  const both = await Promise.all([run(["--version"], { env }), run(["--version"], { env })]);
  for (const { code, stdout, stderr } of both) {
    strictEqual(code, 0, stderr);
    match(stdout, /^ngit-grasp \d/);
  }
  deepStrictEqual(await namesIn(`${directory}/shared/ngit-grasp`), [made.id]);
  for (const path of ["", `/${made.id}`]) {
    strictEqual((await Deno.stat(`${directory}/shared/ngit-grasp${path}`)).mode! & 0o777, 0o700);
  }
  await Deno.remove(`${directory}/shared`, { recursive: true });
});

Deno.test("M-11 M-23 the packaged program serves from a read-only directory, knows its commit and stops with 0", () =>
  withTempDirectory(async (data) => {
    const env = {
      NGIT_BIND_ADDRESS: "127.0.0.1:0",
      NGIT_GIT_DATA_PATH: `${data}/git`,
      NGIT_RELAY_DATA_PATH: `${data}/relay`,
      NGIT_RELAY_OWNER_NSEC: "1".repeat(64),
    };
    const child = command([], { cwd: "/proc", env }).spawn();
    const done = child.output();
    try {
      const bound = () => Deno.readTextFile(`${data}/relay/bound-address`).catch(() => "");
      await eventually("listening", async () => await bound() !== "");
      const metrics = await (await fetch(`http://${(await bound()).trim()}/metrics`)).text();
      ok(metrics.includes(`commit="${made.commit}"`), metrics.slice(0, 400));
    } finally {
      child.kill("SIGTERM");
    }
    const { code, stderr } = await done;
    strictEqual(code, 0, new TextDecoder().decode(stderr));
  }));

Deno.test("the packaged program hands on its arguments and its exit codes", async () => {
  const wrong = await run(["--check-config", "--domain", "two words"]);
  strictEqual(wrong.code, 1);
  match(wrong.stdout, /two words/);
  strictEqual((await run(["--no-such-option"])).code, 2);
});

Deno.test("leading permission flags of the packaged program replace the grants it has by itself", async () => {
  const few = ["--allow-env", "--allow-sys", `--allow-read=${directory}`];
  const { stdout } = await run([...few, "--check-config"]);
  match(stdout, /missing permission: --allow-net$/m);
  ok(!stdout.includes("--allow-ffi"), "the program's own native module needs no grant");
  const all = await run(["-A", "--check-config"]);
  ok(!all.stdout.includes("missing permission"), all.stderr);
});

Deno.test("C-41 the permissions the packaged program prints for itself are exactly what it needs", async () => {
  const options = ["--no-sync-enable", "--bind-address=127.0.0.1:0", `--relay-owner-nsec=${"1".repeat(64)}`];
  const printed = (await run(["--print-permissions", ...options])).stdout;
  const line = /^ngit-grasp (.*) serve /m.exec(printed)?.[1] ?? "";
  const flags = [...line.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word);
  const { stdout } = await run([...flags, "--check-config", ...options]);
  match(stdout, /^permissions +ok +exactly what is needed$/m);
});

Deno.test("what is damaged on disk is unpacked again; a damaged package says so and leaves nothing", async () => {
  const unpacked = `${directory}/cache/ngit-grasp/${made.id}`;
  await Deno.writeTextFile(`${unpacked}/main.js`, "broken(");
  strictEqual((await run(["--version"])).code, 0);
  deepStrictEqual(await namesIn(`${directory}/cache/ngit-grasp`), [made.id]);

  const short = `${directory}/short`;
  await Deno.copyFile(made.file, short);
  await Deno.truncate(short, made.bytes - 1_000);
  const env = { XDG_CACHE_HOME: `${directory}/for-short`, TMPDIR: "/proc/none" };
  const { code, stderr } = await run(["--version"], { file: short, env });
  strictEqual(code, 1);
  match(stderr, /cannot unpack: the file is damaged/);
  deepStrictEqual(await namesIn(`${directory}/for-short/ngit-grasp`), []);
});

Deno.test("without a cache directory the package uses TMPDIR, but nothing that somebody else may have put there", () =>
  withTempDirectory(async (temp) => {
    const env = { XDG_CACHE_HOME: "/proc/none", TMPDIR: temp };
    const place = `${temp}/ngit-grasp-${Deno.uid()}`;
    await Deno.mkdir(`${temp}/theirs`);
    await Deno.symlink(`${temp}/theirs`, place);
    strictEqual((await run(["--version"], { env })).code, 1);
    deepStrictEqual(await namesIn(`${temp}/theirs`), []);
    await Deno.remove(place);
    strictEqual((await run(["--version"], { env })).code, 0);
    deepStrictEqual(await namesIn(place), [made.id]);
  }));

Deno.test("the packaged program passes the demo", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "-A", "--config", `${ROOT}deno.json`, `${ROOT}tests/demo/main.ts`],
    env: { NGIT_GRASP_BIN: made.file, XDG_CACHE_HOME: `${directory}/cache`, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const [text, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  strictEqual(code, 0, text! + errors!);
});
