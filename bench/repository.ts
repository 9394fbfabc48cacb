import { git } from "../tests/support/git_client.ts";

const DIRECTORIES = 20;
const FILES = 200;
const LINES = 60;
const TAGS = 50;
const AUTHOR = "Alice <alice@example.com>";

/** Makes `directory` a bare repository and feeds `stream` to `git fast-import` there, with more options for git. */
export async function fastImport(
  directory: string,
  stream: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
  options: readonly string[] = [],
): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  await git(directory, "init", "-q", "--bare", "-b", "main");
  const child = new Deno.Command("git", {
    args: ["-c", "fastimport.unpackLimit=0", ...options, "fast-import", "--quiet"],
    cwd: directory,
    stdin: "piped",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const encoder = new TextEncoder();
  const writer = child.stdin.getWriter();
  for await (const part of stream) await writer.write(typeof part === "string" ? encoder.encode(part) : part);
  await writer.close();
  if (!(await child.status).success) throw new Error("git fast-import failed");
}

/** Number of objects in a repository, packed and loose. */
export async function objectCount(directory: string): Promise<number> {
  const report = await git(directory, "count-objects", "-v");
  const read = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(report)?.[1] ?? 0);
  return read("count") + read("in-pack");
}

/**
 * `commits` commits on `main` and 50 tags: every commit changes one line of one of 200 files in 20 directories, so it
 * adds four objects.
 */
export function* history(commits: number): Generator<string> {
  const random = mulberry32(1);
  const files = Array.from({ length: FILES }, () => Array.from({ length: LINES }, () => sentence(random)));
  for (let number = 1; number <= commits; number++) {
    const file = number % FILES;
    files[file]![Math.floor(random() * LINES)] = sentence(random);
    const path = `part${file % DIRECTORIES}/file${file}.txt`;
    const message = `change ${path} (${number})\n`;
    yield `commit refs/heads/main\nmark :${number}\ncommitter ${AUTHOR} ${1_700_000_000 + number} +0000\n` +
      `data ${message.length}\n${message}` +
      (number > 1 ? `from :${number - 1}\n` : "") +
      `M 100644 inline ${path}\n${data(files[file]!.join("\n") + "\n")}`;
    if (number % Math.ceil(commits / TAGS) === 0) yield `reset refs/tags/v${number}\nfrom :${number}\n\n`;
  }
}

/** `refs` refs, half of them branches beside `main` and half tags, on commits of a short history. */
export function* manyRefs(refs: number): Generator<string> {
  const commits = 1_000;
  yield* history(commits);
  for (let number = 1; number < refs - TAGS; number++) {
    const name = number % 2 === 0 ? `heads/topic/${number}` : `tags/build-${number}`;
    yield `reset refs/${name}\nfrom :${1 + number % commits}\n\n`;
  }
}

/** One commit with `count` files of `bytes` bytes each that do not compress. */
export async function* randomFiles(
  count: number,
  bytes: number,
  seed: number,
): AsyncGenerator<Uint8Array | string> {
  const raw = new Uint8Array(16).fill(seed);
  const key = await crypto.subtle.importKey("raw", raw, "AES-CTR", false, ["encrypt"]);
  const zeros = new Uint8Array(bytes);
  for (let number = 1; number <= count; number++) {
    const counter = new Uint8Array(16);
    new DataView(counter.buffer).setUint32(0, number);
    yield `blob\nmark :${number}\ndata ${bytes}\n`;
    yield new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CTR", counter, length: 64 }, key, zeros));
    yield "\n";
  }
  yield `commit refs/heads/main\ncommitter ${AUTHOR} 1700000000 +0000\n${data("random files\n")}`;
  for (let number = 1; number <= count; number++) {
    yield `M 100644 :${number} part${number % DIRECTORIES}/file${number}.bin\n`;
  }
  yield "\n";
}

function data(text: string): string {
  return `data ${text.length}\n${text}\n`;
}

const WORDS = "the server keeps every object that a state names until its data is here and then serves it"
  .split(" ");

function sentence(random: () => number): string {
  const words = Array.from({ length: 6 }, () => WORDS[Math.floor(random() * WORDS.length)]!);
  return `${words.join(" ")} ${Math.floor(random() * 1e9).toString(36)}`;
}

/** A small generator of numbers in [0, 1) that is the same everywhere. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}
