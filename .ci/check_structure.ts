/**
 * Structure rules of `deno task check`: imports point one way, no cycles, small files.
 * Prints every violation and exits 1 when there is one.
 */
import { dirname, join, normalize } from "node:path/posix";

/** Folders of lib/ from the bottom up; a folder may import itself and what stands before it. */
const LAYERS = [
  ["world"],
  ["nostr"],
  ["observe"],
  ["config"],
  ["store", "outgoing"],
  ["policy"],
  ["git", "negentropy"],
  ["purgatory"],
  ["intake", "hunt", "maintenance"],
  ["relay", "sync"],
  ["http", "commands"],
];
const MAX_LINES = 400;
const MAX_MAIN_LINES = 60;

const rank = new Map(LAYERS.flatMap((folders, index) => folders.map((folder) => [folder, index] as const)));
const problems: string[] = [];

async function* sources(directory: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory) yield* sources(path);
    else if (path.endsWith(".ts")) yield path;
  }
}

function importsOf(file: string, text: string): string[] {
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g)].map((match) =>
    match[1]!
  );
  return specifiers.map((specifier) => normalize(join(dirname(file), specifier)));
}

function folderOf(file: string): string | undefined {
  return /^lib\/([^/]+)\//.exec(file)?.[1];
}

function checkDirection(file: string, target: string): void {
  const from = folderOf(file);
  const to = folderOf(target);
  if (from === undefined || !target.startsWith("lib/")) return;
  if (target.endsWith(".json")) return;
  if (to === undefined) problems.push(`${file}: nothing in a folder of lib/ may import ${target}`);
  else if (!rank.has(from)) problems.push(`${file}: folder ${from} has no place in the layers`);
  else if (from !== to && !(rank.get(to)! < rank.get(from)!)) {
    problems.push(`${file}: ${from} must not import ${to} (${target})`);
  } else if (from !== to && !target.endsWith("/mod.ts") && !target.endsWith("/types.ts")) {
    problems.push(`${file}: import ${to} through its mod.ts, not ${target}`);
  }
}

function checkCycles(graph: ReadonlyMap<string, readonly string[]>): void {
  const state = new Map<string, "open" | "done">();
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") {
      problems.push(`import cycle: ${[...trail.slice(trail.indexOf(file)), file].join(" -> ")}`);
      return;
    }
    state.set(file, "open");
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
    state.set(file, "done");
  };
  for (const file of graph.keys()) visit(file, []);
}

const graph = new Map<string, string[]>();
for await (const file of sources("lib")) {
  const text = await Deno.readTextFile(file);
  const targets = importsOf(file, text);
  graph.set(file, targets);
  for (const target of targets) checkDirection(file, target);
  if (/\bconsole\./.test(text)) problems.push(`${file}: the log is injected, console is not used in lib/`);
  const lines = text.split("\n").length - 1;
  if (lines > MAX_LINES) problems.push(`${file}: ${lines} lines, at most ${MAX_LINES}`);
}
const mainLines = (await Deno.readTextFile("main.ts")).split("\n").length - 1;
if (mainLines > MAX_MAIN_LINES) problems.push(`main.ts: ${mainLines} lines, at most ${MAX_MAIN_LINES}`);
for await (const file of sources("tests")) {
  const lines = (await Deno.readTextFile(file)).split("\n").length - 1;
  if (lines > MAX_LINES) problems.push(`${file}: ${lines} lines, at most ${MAX_LINES}`);
}
checkCycles(graph);

for (const problem of problems) console.error(problem);
console.log(
  problems.length === 0
    ? `structure: ${graph.size} files, no violation`
    : `structure: ${problems.length} violations`,
);
Deno.exit(problems.length === 0 ? 0 : 1);
