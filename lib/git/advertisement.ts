import { ZERO_OID } from "../nostr/mod.ts";
import { childStream } from "./child_stream.ts";
import type { Git } from "./git.ts";
import type { GitChild } from "./git_process.ts";
import { type GitHttpContext, IdleWatch } from "./http_context.ts";
import { encodePkt, flushPkt, joinBytes } from "./pkt_line.ts";
import type { RepositoryRef } from "./repository_ref.ts";
import { gitResponse, internalError, plainResponse, tooBusy } from "./response.ts";
import { errorText, gitProtocol } from "./upload_pack.ts";

type Service = "git-upload-pack" | "git-receive-pack";

/** What git prints for an empty repository before it learnt to name its capabilities there (2.41). */
const EMPTY_V0 = "0000";
const EMPTY_V1 = "000eversion 1\n0000";
const TIMEOUT_MS = 60_000;

/** Answers `GET …/info/refs` (git-http 1.6). */
export class Advertisements {
  readonly #context: GitHttpContext;
  #emptyCapabilities: Promise<string> | undefined;
  #version2: Uint8Array | undefined;
  /** Answers for repositories that do not exist, by service and protocol; complete bodies. */
  readonly #empty = new Map<string, Uint8Array>();

  constructor(context: GitHttpContext) {
    this.#context = context;
  }

  /** The advertisement of an existing repository for the service named in the query of `request`. */
  async answer(ref: RepositoryRef, request: Request, release: () => void): Promise<Response> {
    const service = serviceOf(request);
    if (service === undefined) {
      release();
      return dumbProtocol();
    }
    const protocol = protocolFor(service, request);
    if (protocol === "version=2" && this.#version2) {
      release();
      return gitResponse(`application/x-${service}-advertisement`, this.#version2.slice());
    }
    const leave = await this.#context.places.enter(request.signal);
    if (!leave) {
      release();
      return tooBusy();
    }
    return await this.#run(ref, service, protocol, request.signal, () => (leave(), release()));
  }

  /** Captures what git says about the empty repository at `path`, for {@link answerEmpty}. */
  async capture(path: string): Promise<void> {
    for (const [service, protocol] of EMPTY_ANSWERS) {
      const args = [service.slice("git-".length), "--stateless-rpc", "--advertise-refs", path];
      const { code, stdout } = await readWhole(this.#context.git.spawn(args, protocol ? { protocol } : {}));
      if (code !== 0) throw new Error("git did not advertise an empty repository");
      const form = service === "git-upload-pack" ? emptyForm(stdout) : undefined;
      const refs = form === undefined ? stdout : await this.#emptyAdvertisement(form);
      this.#empty.set(`${service} ${protocol}`, withServiceLine(service, protocol, refs));
    }
  }

  /**
   * The advertisement of a repository without any ref, whatever its name: constant bytes, no child
   * (GRASP-06). {@link capture} comes first.
   */
  answerEmpty(request: Request): Response {
    const service = serviceOf(request);
    const names = (gitProtocol(request) ?? "").split(":");
    const isSecond = service === "git-upload-pack" && names.includes("version=2");
    const protocol = isSecond ? "version=2" : names.includes("version=1") ? "version=1" : "";
    const answer = this.#empty.get(`${service} ${protocol}`);
    if (service === undefined) return dumbProtocol();
    return answer ? gitResponse(`application/x-${service}-advertisement`, answer.slice()) : internalError();
  }

  async #run(
    ref: RepositoryRef,
    service: Service,
    protocol: string | undefined,
    signal: AbortSignal,
    release: () => void,
  ): Promise<Response> {
    const context = this.#context;
    let child: GitChild;
    try {
      child = context.git.spawn(
        [
          service.slice("git-".length),
          "--stateless-rpc",
          "--advertise-refs",
          ...(service === "git-upload-pack" ? ["--strict"] : []),
          context.repositories.path(ref),
        ],
        {
          signal: AbortSignal.any([signal, context.stopping.signal]),
          ...(protocol !== undefined && { protocol }),
        },
      );
    } catch {
      release();
      context.metrics.processFailure("spawn");
      return internalError();
    }
    const watch = new IdleWatch(context.clock, context.limits.gitTimeoutMs, () => child.kill());
    child.ended.then(() => (watch.stop(), release()));
    child.stdin.close().catch(() => {});
    return await this.#stream(ref, service, protocol, child, watch);
  }

  async #stream(
    ref: RepositoryRef,
    service: Service,
    protocol: string | undefined,
    child: GitChild,
    watch: IdleWatch,
  ): Promise<Response> {
    const context = this.#context;
    const type = `application/x-${service}-advertisement`;
    const prefix = withServiceLine(service, protocol, new Uint8Array());
    const reader = child.stdout.getReader();
    const start = await readStart(reader);
    if (start.length === 0) {
      const exit = await child.ended;
      context.metrics.processFailure(exit.signal === undefined ? "exit" : "killed");
      if (exit.signal !== undefined) return internalError();
      return gitResponse(
        type,
        joinBytes([prefix, encodePkt(`ERR ${errorText(context, ref, child.stderr())}\n`)]),
      );
    }
    const empty = service === "git-upload-pack" ? emptyForm(start) : undefined;
    if (empty !== undefined) {
      await reader.cancel().catch(() => {});
      return gitResponse(type, joinBytes([prefix, await this.#emptyAdvertisement(empty)]));
    }
    if (protocol === "version=2") return await this.#rememberVersion2(type, start, reader, child);
    const head = joinBytes([prefix, start]);
    const onBytes = (count: number) => {
      watch.touch();
      context.metrics.bytes("out", count, ref);
    };
    return gitResponse(type, childStream({ child, reader, head, onBytes, onEnd: () => {} }));
  }

  /** The v2 capability advertisement names no refs, so it is the same for every repository. */
  async #rememberVersion2(
    type: string,
    start: Uint8Array,
    reader: ReadableStreamDefaultReader<Uint8Array>,
    child: GitChild,
  ): Promise<Response> {
    const parts = [start];
    while (true) {
      const value = (await reader.read().catch(() => undefined))?.value;
      if (value === undefined) break;
      parts.push(value);
    }
    const { code } = await child.ended;
    if (code !== 0) return internalError();
    this.#version2 = joinBytes(parts);
    return gitResponse(type, this.#version2.slice());
  }

  async #emptyAdvertisement(versionLine: string): Promise<Uint8Array> {
    this.#emptyCapabilities ??= capabilitiesOfThisGit(this.#context.git, this.#context.repositories.root);
    const capabilities = await this.#emptyCapabilities.catch((error) => {
      this.#emptyCapabilities = undefined;
      this.#context.log.error("git's capabilities could not be read", {
        error: this.#context.repositories.clean(String(error)),
      });
      return undefined;
    });
    const version = new TextEncoder().encode(versionLine);
    if (capabilities === undefined) return joinBytes([version, flushPkt()]);
    return joinBytes([version, encodePkt(`${ZERO_OID} capabilities^{}\0${capabilities}\n`), flushPkt()]);
  }
}

/** Everything `answerEmpty` may have to say: pushing has no version 2. */
const EMPTY_ANSWERS: readonly (readonly [Service, string])[] = [
  ["git-upload-pack", ""],
  ["git-upload-pack", "version=1"],
  ["git-upload-pack", "version=2"],
  ["git-receive-pack", ""],
  ["git-receive-pack", "version=1"],
];

async function readWhole(child: GitChild): Promise<{ code: number; stdout: Uint8Array }> {
  child.stdin.close().catch(() => {});
  const chunks = await Array.fromAsync(child.stdout);
  return { code: (await child.ended).code, stdout: joinBytes(chunks) };
}

/** Versions 0 and 1 name the service first. */
function withServiceLine(service: Service, protocol: string | undefined, refs: Uint8Array): Uint8Array {
  if (protocol === "version=2") return refs;
  return joinBytes([encodePkt(`# service=${service}\n`), flushPkt(), refs]);
}

function serviceOf(request: Request): Service | undefined {
  const service = new URLSearchParams(queryOf(request.url)).get("service");
  return service === "git-upload-pack" || service === "git-receive-pack" ? service : undefined;
}

function dumbProtocol(): Response {
  return plainResponse(404, "Git error: only the smart HTTP protocol is served here");
}

/** The query of a request URL, without the URL parser's changes to the path. */
function queryOf(url: string): string {
  const mark = url.indexOf("?");
  return mark < 0 ? "" : url.slice(mark + 1).replace(/#[\s\S]*$/, "");
}

/** Pushing has no version 2 (git-http 1.9). */
function protocolFor(service: Service, request: Request): string | undefined {
  const protocol = gitProtocol(request);
  return service === "git-upload-pack" || protocol === "version=1" ? protocol : undefined;
}

/** Enough output to recognise the advertisement of an empty repository, or all of it. */
async function readStart(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array> {
  let start = new Uint8Array();
  while (start.length <= EMPTY_V1.length) {
    const value = (await reader.read().catch(() => undefined))?.value;
    if (value === undefined) break;
    start = joinBytes([start, value]) as Uint8Array<ArrayBuffer>;
  }
  return start;
}

/** The version line in front of an advertisement without refs and capabilities; undefined for any other. */
function emptyForm(start: Uint8Array): string | undefined {
  const text = new TextDecoder("latin1").decode(start);
  if (text === EMPTY_V0) return "";
  return text === EMPTY_V1 ? EMPTY_V1.slice(0, -EMPTY_V0.length) : undefined;
}

/** The capability list this git prints for a repository with a ref, without `symref=` (one throw-away repository). */
async function capabilitiesOfThisGit(git: Git, root: string): Promise<string> {
  const path = await Deno.makeTempDir({ dir: root, prefix: ".capabilities-" });
  const run = async (args: string[], input?: string) => {
    const result = await git.run(args, { timeoutMs: TIMEOUT_MS, ...(input !== undefined && { input }) });
    if (result.code !== 0) throw new Error(result.stderr);
    return new TextDecoder().decode(result.stdout);
  };
  try {
    await run(["init", "--bare", "--quiet", "--template=", "--object-format=sha1", path]);
    const blob = (await run([`--git-dir=${path}`, "hash-object", "-w", "--stdin"], "")).trim();
    await run([`--git-dir=${path}`, "update-ref", "refs/tags/any", blob]);
    const lines = await run(["upload-pack", "--stateless-rpc", "--advertise-refs", "--strict", path]);
    const capabilities = /\0([^\n]*)\n/.exec(lines)?.[1];
    if (capabilities === undefined) throw new Error("no capabilities in git's advertisement");
    return capabilities.split(" ").filter((name) => name !== "" && !name.startsWith("symref=")).join(" ");
  } finally {
    await Deno.remove(path, { recursive: true }).catch(() => {});
  }
}
