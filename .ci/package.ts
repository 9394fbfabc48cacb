/**
 * `deno task package [--output FILE] [--level 1..9]`: one self-extracting executable of the Deno binary at
 * hand, the bundled program and the native database module. Fetches nothing but npm packages.
 */
import { createHash } from "node:crypto";
import { dirname, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { copy, filesIn, megabytes, output, ROOT, stageProgram } from "./stage.ts";

/** What {@link buildPackage} made. */
export interface Package {
  readonly file: string;
  readonly bytes: number;
  /** Bytes it takes on disk once unpacked. */
  readonly unpackedBytes: number;
  readonly commit: string;
  /** Name of the directory it is unpacked into: the hash of everything in it. */
  readonly id: string;
}

/** Settings of {@link buildPackage}. */
export interface PackageInput {
  readonly file: string;
  /** gzip level, 1 (fast) to 9. */
  readonly level: number;
}

/** Builds the package; equal sources and an equal runtime give an equal file. */
export async function buildPackage({ file, level }: PackageInput): Promise<Package> {
  const work = await Deno.makeTempDir({ prefix: "ngit-grasp-package-" });
  try {
    const [stage, content] = [`${work}/stage`, `${work}/content`];
    for (const directory of [stage, content]) await Deno.mkdir(directory);
    const commit = await stageProgram(stage);
    await bundle(stage, content);
    const addon = await copyAddon(stage, content);
    await copy(Deno.execPath(), `${content}/ngit-grasp`);
    await copy(`${ROOT}/LICENSE`, `${content}/LICENSE`);
    const sums = await checksums(content);
    const id = createHash("sha256").update(sums).digest("hex").slice(0, 32);
    await archive(content, `${work}/archive`, level);
    const version: unknown = JSON.parse(await Deno.readTextFile(`${stage}/deno.json`)).version;
    const header = await headerText({
      VERSION: String(version),
      COMMIT: commit,
      ID: id,
      SUMS: sums,
      ADDON: addon,
    });
    await write(file, header, `${work}/archive`);
    const sizes = await Promise.all((await filesIn(content)).map((path) => Deno.stat(path)));
    const unpackedBytes = sizes.reduce((total, { size }) => total + size, 0);
    return { file, bytes: (await Deno.stat(file)).size, unpackedBytes, commit, id };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Runs this same Deno on the staged copy, with the dependencies exactly as committed. */
function deno(command: string, args: readonly string[], stage: string): Promise<string> {
  return output(Deno.execPath(), [command, "--quiet", "--lock=deno.lock", "--frozen", ...args], {
    cwd: stage,
  });
}

/** The program and its workers as plain JavaScript, without paths of the machine that builds it. */
async function bundle(stage: string, content: string): Promise<void> {
  const { npmCache } = JSON.parse(await deno("info", ["--json"], stage));
  for (
    const [source, target] of [
      ["main.ts", "main.js"],
      ["lib/nostr/verify_worker.ts", "verify_worker.js"],
      ["lib/store/damage_worker.ts", "damage_worker.js"],
    ]
  ) {
    const text = await deno("bundle", ["--platform=deno", source!], stage);
    const places = [relative(stage, npmCache), npmCache, stage].map((path) => path.replaceAll("\\", "/"));
    const plain = places.reduce((rest, path) => rest.replaceAll(`${path}/`, ""), text);
    const withWorkers = plain.replaceAll(/"\.\/(\w+_worker)\.ts"/g, '"./$1.js"');
    await Deno.writeTextFile(`${content}/${target}`, withWorkers);
  }
}

/** Copies the database's native module for this machine; returns its path inside `content`. */
async function copyAddon(stage: string, content: string): Promise<string> {
  const script = `import Module from "node:module"; await import("@libsql/client");
    console.log(Object.keys(Module._cache).find((name) => name.endsWith(".node")));`;
  await Deno.writeTextFile(`${stage}/find_addon.js`, script);
  const source = (await deno("run", ["-A", "find_addon.js"], stage)).trim();
  const { name } = JSON.parse(await Deno.readTextFile(`${dirname(source)}/package.json`));
  const target = `node_modules/${name}`;
  await copy(dirname(source), `${content}/${target}`);
  return `${target}/${relative(dirname(source), source)}`;
}

/** Lines as `sha256sum` writes them. */
async function checksums(directory: string): Promise<string> {
  const lines: string[] = [];
  for (const path of await filesIn(directory)) {
    const hash = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
    lines.push(`${hash}  ${relative(directory, path)}`);
  }
  return lines.join("\n");
}

async function archive(content: string, file: string, level: number): Promise<void> {
  const fixed = [
    "--sort=name",
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "--mtime=@0",
    "--mode=u=rwX,go=",
  ];
  await Deno.chmod(`${content}/ngit-grasp`, 0o700);
  await output("tar", ["-C", content, ...fixed, "-I", `gzip -n -${level}`, "-cf", file, "."]);
}

/** The script in front of the archive. Fills the places marked `@NAME@`. */
async function headerText(values: Readonly<Record<string, string>>): Promise<string> {
  const template = await Deno.readTextFile(import.meta.dirname + "/package_header.sh");
  const { permissions } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
  const PERMISSIONS = permissionFlags(permissions.serve).join(" ");
  const filled = Object.entries({ ...values, PERMISSIONS }).reduce(
    (text, [name, value]) => text.replaceAll(`@${name}@`, () => value),
    template,
  );
  return filled.replaceAll("@LINE@", String(filled.split("\n").length));
}

/** Flags of a permission set of deno.json. */
function permissionFlags(set: Readonly<Record<string, boolean | readonly string[]>>): string[] {
  return Object.entries(set).flatMap(([name, grant]) => {
    if (grant === false) return [];
    return [grant === true ? `--allow-${name}` : `--allow-${name}='${grant.join(",")}'`];
  });
}

/** Writes header and archive beside `file` and renames: a program that is running keeps its own. */
async function write(file: string, header: string, archive: string): Promise<void> {
  await Deno.mkdir(dirname(file), { recursive: true });
  const part = `${file}.part`;
  await Deno.writeTextFile(part, header, { mode: 0o755 });
  const target = await Deno.open(part, { append: true });
  await (await Deno.open(archive)).readable.pipeTo(target.writable);
  await Deno.chmod(part, 0o755);
  await Deno.rename(part, file);
}

if (import.meta.main) {
  const options = { output: { type: "string" }, level: { type: "string" } } as const;
  const { values } = parseArgs({ args: Deno.args, options });
  const startedAt = performance.now();
  const made = await buildPackage({
    file: resolve(values.output ?? `${ROOT}/dist/ngit-grasp`),
    level: Number(values.level ?? 6),
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${made.file}: ${megabytes(made.bytes)}, ${megabytes(made.unpackedBytes)} unpacked`);
  console.log(`commit ${made.commit}, built in ${seconds} s`);
}
