import { git } from "../tests/support/git_client.ts";

const AUTHOR = "Alice <alice@example.com>";

/** A host of many small repositories. */
export interface GitHost {
  /** `http://127.0.0.n:port` */
  readonly url: string;
  close(): Promise<void>;
}

/** What a host does beside serving. */
export type Manner = "prompt" | "slow" | "dead";

/** A bare repository with `count` commits that have no parents; returns their ids. */
export async function buildRoots(directory: string, count: number): Promise<readonly string[]> {
  await Deno.mkdir(directory, { recursive: true });
  await git(directory, "init", "-q", "--bare", "-b", "main");
  const child = new Deno.Command("git", {
    args: ["fast-import", "--quiet"],
    cwd: directory,
    stdin: "piped",
    stdout: "null",
  }).spawn();
  const commits = Array.from({ length: count }, (_, n) => {
    const text = `repository ${n}\n`;
    return `commit refs/heads/r${n}\ncommitter ${AUTHOR} ${1_700_000_000 + n} +0000\n` +
      `data ${text.length}\n${text}M 100644 inline README\ndata ${text.length}\n${text}\n`;
  });
  await ReadableStream.from(commits).pipeThrough(new TextEncoderStream()).pipeTo(child.stdin);
  if (!(await child.status).success) throw new Error("git fast-import failed");
  await git(directory, "config", "uploadpack.allowAnySHA1InWant", "true");
  await git(directory, "repack", "-a", "-d", "-q");
  const names = Array.from({ length: count }, (_, n) => `refs/heads/r${n}`);
  const lines = (await git(directory, "for-each-ref", "--format=%(refname) %(objectname)")).split("\n");
  const oids = new Map(lines.map((line) => line.split(" ") as [string, string]));
  return names.map((name) => oids.get(name)!);
}

/** Serves the repository `directory` under every path by smart HTTP (protocol 2), on an address of its own. */
export function openGitHost(directory: string, number: number, manner: Manner, slowMs: number): GitHost {
  const hostname = `127.0.0.${2 + number}`;
  const stopping = new AbortController();
  const server = Deno.serve({ hostname, port: 0, onListen: () => {} }, async (request) => {
    if (manner === "dead") await pause(600_000, stopping.signal);
    if (manner === "slow") await pause(slowMs, stopping.signal);
    if (new URL(request.url).pathname.endsWith("/info/refs")) {
      return answer("advertisement", uploadPack(directory, ["--http-backend-info-refs"], null));
    }
    const packed = request.headers.get("content-encoding") === "gzip";
    const input = packed ? request.body?.pipeThrough(new DecompressionStream("gzip")) : request.body;
    return answer("result", uploadPack(directory, [], input ?? null));
  });
  const close = async () => {
    stopping.abort();
    await server.shutdown();
  };
  return { url: `http://${hostname}:${server.addr.port}`, close };
}

function uploadPack(
  directory: string,
  options: readonly string[],
  input: ReadableStream<Uint8Array> | null,
): ReadableStream<Uint8Array> {
  const child = new Deno.Command("git", {
    args: ["upload-pack", "--stateless-rpc", ...options, directory],
    env: { GIT_PROTOCOL: "version=2" },
    stdin: input ? "piped" : "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  // A client that goes away ends the child; its pipes then break.
  if (input) void input.pipeTo(child.stdin).catch(() => {});
  return child.stdout;
}

function answer(type: string, body: ReadableStream<Uint8Array>): Response {
  return new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>, {
    headers: { "content-type": `application/x-git-upload-pack-${type}` },
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
