/** Answers a request itself; undefined lets the git server answer. `path` has the query. */
export type PeerAnswer = (request: Request, path: string) => Response | Promise<Response> | undefined;

/** How a peer behaves. */
export interface GitPeerOptions {
  /** Ignores the wish for protocol 2, as old servers do. */
  readonly protocol0?: boolean;
  /** `-c` settings of upload-pack; the default forbids nothing. */
  readonly settings?: readonly string[];
  /** Lies, refuses, redirects or hangs. */
  readonly answer?: PeerAnswer;
  /** Names of certificate and key (PEM) to serve HTTPS with. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** A git server of somebody else: smart HTTP over repositories in one directory. */
export interface GitPeer {
  readonly origin: string;
  readonly port: number;
  /** Method and path of every request. */
  readonly requests: string[];
  /** Most requests under way at once so far. */
  readonly peak: number;
  url(name: string): string;
  close(): Promise<void>;
}

/** Serves the bare or non-bare repositories below `directory` at `/<name>`. */
export function startGitPeer(directory: string, options: GitPeerOptions = {}): GitPeer {
  const requests: string[] = [];
  const closing = new AbortController();
  let running = 0;
  let peak = 0;
  const handler = async (request: Request): Promise<Response> => {
    const path = request.url.replace(/^[a-z]+:\/\/[^/]*/, "");
    requests.push(`${request.method} ${path}`);
    peak = Math.max(peak, ++running);
    try {
      return await (options.answer?.(request, path) ?? serveGit(directory, request, path, options));
    } finally {
      running--;
    }
  };
  const listen = { port: 0, hostname: "127.0.0.1", signal: closing.signal, onListen: () => {} };
  const server = options.tls
    ? Deno.serve({ ...listen, ...options.tls }, handler)
    : Deno.serve(listen, handler);
  const { port } = server.addr;
  const origin = `${options.tls ? "https" : "http"}://127.0.0.1:${port}`;
  return {
    origin,
    port,
    requests,
    get peak() {
      return peak;
    },
    url: (name) => `${origin}/${name}`,
    close: async () => {
      closing.abort();
      await server.finished;
    },
  };
}

async function serveGit(
  directory: string,
  request: Request,
  path: string,
  options: GitPeerOptions,
): Promise<Response> {
  const [, name, rest] = /^\/([^?]+?)\/(info\/refs\?service=git-upload-pack|git-upload-pack)$/.exec(path) ??
    [];
  if (name === undefined) return new Response("not found", { status: 404 });
  const advertise = rest !== "git-upload-pack";
  const child = new Deno.Command("git", {
    args: [
      ...(options.settings ?? ["uploadpack.allowAnySHA1InWant=true"]).flatMap((setting) => ["-c", setting]),
      "-c",
      "safe.directory=*",
      "upload-pack",
      "--stateless-rpc",
      ...(advertise ? ["--advertise-refs"] : []),
      `${directory}/${decodeURIComponent(name)}`,
    ],
    env: options.protocol0 ? {} : { GIT_PROTOCOL: request.headers.get("git-protocol") ?? "" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const zipped = request.headers.get("content-encoding") === "gzip";
  const body = zipped ? request.body!.pipeThrough(new DecompressionStream("gzip")) : request.body;
  const fed = body ? body.pipeTo(child.stdin).catch(() => {}) : child.stdin.close();
  const [{ stdout, code }] = await Promise.all([child.output(), fed]);
  if (code !== 0 && stdout.length === 0) return new Response("not found", { status: 404 });
  const kind = advertise ? "advertisement" : "result";
  const head = advertise ? new TextEncoder().encode("001e# service=git-upload-pack\n0000") : new Uint8Array();
  return new Response(new Blob([head, stdout]), {
    headers: { "content-type": `application/x-git-upload-pack-${kind}`, "cache-control": "no-cache" },
  });
}
