/**
 * `deno task compile [--check] [--output FILE] [PERMISSIONS]`: one executable by `deno compile`, with the
 * permission set `serve` or the permission flags that are given instead, the database's native module and
 * all assets embedded.
 *
 * `deno compile` downloads its runtime part. `--check` first proves, with the Deno binary at hand in its place,
 * that everything embeds; a download that fails then is told, and no failure.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { filesIn, megabytes, output, ROOT, stageProgram } from "./stage.ts";

const PACKAGES = "node_modules/.deno";
/** Workers are not found by following imports. */
const INCLUDED = ["lib/nostr/verify_worker.ts", "lib/store/damage_worker.ts"];
/** The expressions in these tests overflow the compiler's stack. */
const BROKEN_TESTS = { ofPackage: "bintrees", path: "node_modules/bintrees/test" } as const;

/** Embeds the program into `runtime`, or into the one that is downloaded; returns the bytes of `file`. */
async function compile(
  stage: string,
  file: string,
  grants: readonly string[],
  runtime?: string,
): Promise<number> {
  const packages = await Array.fromAsync(Deno.readDir(`${stage}/${PACKAGES}`), ({ name }) => name);
  const excluded = packages
    .filter((name) => name.startsWith(`${BROKEN_TESTS.ofPackage}@`))
    .map((name) => `${PACKAGES}/${name}/${BROKEN_TESTS.path}`);
  const args = [
    ...["compile", "--quiet", "--lock=deno.lock", "--node-modules-dir=auto"],
    ...(grants.length > 0 ? ["--no-prompt", ...grants] : ["-P=serve"]),
    ...INCLUDED.flatMap((path) => ["--include", path]),
    ...excluded.flatMap((path) => ["--exclude", path]),
    ...["--output", file, "main.ts"],
  ];
  await output(Deno.execPath(), args, {
    cwd: stage,
    env: runtime === undefined ? {} : { DENORT_BIN: runtime },
  });
  return (await Deno.stat(file)).size;
}

/** Stages the program and the packages it imports, without those of the tests. */
async function stageWithPackages(stage: string): Promise<void> {
  await stageProgram(stage);
  const sources = (await filesIn(`${stage}/lib`)).filter((path) => path.endsWith(".ts"));
  const text = (await Promise.all(sources.map((path) => Deno.readTextFile(path)))).join("\n");
  const map = `${stage}/lib/import_map.json`;
  const { imports } = JSON.parse(await Deno.readTextFile(map));
  const used = Object.entries(imports).filter(([name]) => text.includes(`"${name}`));
  await Deno.writeTextFile(map, JSON.stringify({ imports: Object.fromEntries(used) }));
  // Not frozen: the lock loses the packages of the tests, what stays keeps version and hash.
  const args = [
    "install",
    "--quiet",
    "--lock=deno.lock",
    "--node-modules-dir=auto",
    "--entrypoint",
    "main.ts",
  ];
  await output(Deno.execPath(), args, { cwd: stage });
}

async function main(): Promise<number> {
  const options = { check: { type: "boolean" }, output: { type: "string" } } as const;
  const isGrant = (argument: string) => /^--(?:allow|deny)-[a-z]/.test(argument);
  const grants = Deno.args.filter(isGrant);
  const { values } = parseArgs({ args: Deno.args.filter((argument) => !isGrant(argument)), options });
  const file = resolve(values.output ?? `${ROOT}/dist/ngit-grasp-compiled`);
  const stage = await Deno.makeTempDir({ prefix: "ngit-grasp-compile-" });
  try {
    await stageWithPackages(stage);
    if (values.check) {
      const bytes = await compile(stage, `${stage}/embedded`, grants, Deno.execPath());
      console.log(`deno compile embeds the program: ${megabytes(bytes)} around ${Deno.execPath()}`);
    }
    console.log(`${file}: ${megabytes(await compile(stage, file, grants))}`);
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (!reason.includes("dl.deno.land")) throw error;
    const why = reason.split("\n").find((line) => line.includes("dl.deno.land"))!.trim();
    console.log("the runtime part of deno compile cannot be downloaded; deno task package needs no download");
    console.log(why);
    return values.check ? 0 : 1;
  } finally {
    await Deno.remove(stage, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await main());
