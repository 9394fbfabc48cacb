import { childStream, FetchOutputFilter } from "./child_stream.ts";
import type { GitChild } from "./git_process.ts";
import { type GitHttpContext, IdleWatch } from "./http_context.ts";
import { answerLsRefs, type LsRefsRead, readLsRefs } from "./ls_refs.ts";
import { encodePkt } from "./pkt_line.ts";
import { gitProtocol, protocolVersion } from "./protocol_version.ts";
import { reasonLine } from "./push_report.ts";
import type { RepositoryRef } from "./repository_ref.ts";
import { BodyError, openBody, pump, type PumpEnd } from "./request_body.ts";
import { gitResponse, internalError, plainResponse, tooBusy } from "./response.ts";

const RESULT_TYPE = "application/x-git-upload-pack-result";

/**
 * Answers `POST …/git-upload-pack` (git-http 1.7): a listing of refs from memory; for all else both directions stream, with back-pressure.
 * `release` is called when the child is gone. With `path` another directory is read in place of the
 * repository, which does not exist: nothing is tallied for it.
 */
export async function uploadPack(
  context: GitHttpContext,
  ref: RepositoryRef,
  request: Request,
  release: () => void,
  path?: string,
): Promise<Response> {
  const onBytes: OnBytes = path === undefined
    ? (direction, count) => context.metrics.bytes(direction, count, ref)
    : () => {};
  const source = { ref, path: path ?? context.repositories.path(ref), onBytes };
  const prepared = await prepare(context, source, request);
  if (prepared instanceof Response) {
    release();
    return prepared;
  }
  return await start(context, source, request, prepared, release);
}

type OnBytes = (direction: "in" | "out", count: number) => void;

/** What is read from, and who hears of the traffic. */
interface Source {
  readonly ref: RepositoryRef;
  readonly path: string;
  readonly onBytes: OnBytes;
}

type Body = ReadableStreamDefaultReader<Uint8Array>;

interface PreparedFetch {
  readonly body: Body;
  readonly head: Uint8Array;
  readonly leave: () => void;
  readonly startedAt: number;
}

/** Reads the first bytes and waits for a place. A response when either fails, or when no child is needed. */
async function prepare(
  context: GitHttpContext,
  source: Source,
  request: Request,
): Promise<PreparedFetch | Response> {
  const startedAt = context.clock.now();
  const body = openBody(request, context.fetchBody((count) => source.onBytes("in", count)));
  if (body instanceof Response) return body;
  const head = await readHead(body, request);
  if (head instanceof Error) return head instanceof BodyError ? head.toResponse() : internalError();
  if (head.bytes.length === 0) return plainResponse(400, "Git error: empty request body");
  const view = head.request && await context.views.read(source.path);
  if (head.request && view !== undefined && view !== "busy") {
    const listing = answerLsRefs(view, head.request);
    source.onBytes("out", listing.length);
    return gitResponse(RESULT_TYPE, listing);
  }
  const leave = view === "busy" ? undefined : await context.places.enter(request.signal);
  if (!leave) {
    await body.cancel().catch(() => {});
    return tooBusy();
  }
  return { body, head: head.bytes, leave, startedAt };
}

/** The first bytes; the whole body when it is a request for refs that we understand. */
async function readHead(body: Body, request: Request): Promise<LsRefsRead | Error> {
  try {
    const { value = new Uint8Array() } = await body.read();
    return protocolVersion(gitProtocol(request)) === 2
      ? await readLsRefs(value, body)
      : { bytes: value, request: undefined };
  } catch (error) {
    return error as Error;
  }
}

async function start(
  context: GitHttpContext,
  source: Source,
  request: Request,
  { body, head, leave, startedAt }: PreparedFetch,
  release: () => void,
): Promise<Response> {
  const operation = operationOf(head);
  const finish = (status: "success" | "error") => {
    if (operation) context.metrics.operation(operation, status, (context.clock.now() - startedAt) / 1000);
  };
  const protocol = gitProtocol(request);
  let child: GitChild;
  try {
    child = context.git.spawn(
      ["upload-pack", "--stateless-rpc", "--strict", source.path],
      { signal: context.stopping.signal, ...(protocol !== undefined && { protocol }) },
    );
  } catch {
    leave();
    release();
    context.metrics.processFailure("spawn");
    finish("error");
    return internalError();
  }
  context.track(child.ended.then(() => {}));
  const run = new FetchRun(context, source, child, request.signal, () => (leave(), release()), finish);
  return await run.answer(
    pump(head, body, child.stdin, { clock: context.clock, onProgress: () => run.touch() }),
  );
}

/** What the first bytes of a request ask for; `ls-refs` of protocol v2 is no transfer. */
function operationOf(head: Uint8Array): "fetch" | "clone" | undefined {
  const text = new TextDecoder("latin1").decode(head.subarray(0, 1 << 20));
  if (text.includes("command=ls-refs")) return undefined;
  return /[0-9a-f]{4}have [0-9a-f]{40}/.test(text) ? "fetch" : "clone";
}

/** One running upload-pack and its answer. */
class FetchRun {
  readonly #watch: IdleWatch;
  #timedOut = false;

  constructor(
    readonly context: GitHttpContext,
    readonly source: Source,
    readonly child: GitChild,
    readonly signal: AbortSignal,
    leave: () => void,
    readonly finish: (status: "success" | "error") => void,
  ) {
    this.#watch = new IdleWatch(context.clock, context.limits.gitTimeoutMs, () => {
      this.#timedOut = true;
      child.kill();
    });
    const kill = () => child.kill();
    signal.addEventListener("abort", kill, { once: true });
    if (signal.aborted) kill();
    child.ended.then(() => {
      signal.removeEventListener("abort", kill);
      this.#watch.stop();
      leave();
    });
  }

  touch(): void {
    this.#watch.touch();
  }

  async answer(input: Promise<PumpEnd>): Promise<Response> {
    const reader = this.child.stdout.getReader();
    const output = reader.read().catch(() => ({ done: true, value: undefined }) as const);
    const failure = input.then((end) => end instanceof BodyError ? end : new Promise<never>(() => {}));
    const first = await Promise.race([output, failure]);
    if (first instanceof BodyError) {
      this.child.kill();
      await reader.cancel().catch(() => {});
      this.finish("error");
      return first.toResponse();
    }
    if (first.value === undefined) return await this.#withoutOutput(input);
    this.touch();
    return gitResponse(
      RESULT_TYPE,
      childStream({
        child: this.child,
        reader,
        head: first.value,
        filter: new FetchOutputFilter(this.context.repositories.knownPaths(this.source.ref)),
        before: input,
        onBytes: (count) => {
          this.touch();
          this.source.onBytes("out", count);
        },
        onEnd: ({ code, signal }, cut) => {
          this.#count(code, signal);
          this.finish(cut || code !== 0 ? "error" : "success");
        },
      }),
    );
  }

  async #withoutOutput(input: Promise<PumpEnd>): Promise<Response> {
    const exit = await this.child.ended;
    await input;
    this.#count(exit.code, exit.signal);
    this.finish(exit.code === 0 ? "success" : "error");
    if (exit.signal !== undefined) return internalError();
    if (exit.code === 0) return gitResponse(RESULT_TYPE, null);
    return gitResponse(
      RESULT_TYPE,
      encodePkt(`ERR ${errorText(this.context, this.source.ref, this.child.stderr())}\n`),
    );
  }

  #count(code: number, signal: string | undefined): void {
    if (this.#timedOut) this.context.metrics.processFailure("timeout");
    else if (signal !== undefined && !this.signal.aborted) this.context.metrics.processFailure("killed");
    else if (code !== 0 && signal === undefined) this.context.metrics.processFailure("exit");
  }
}

/** One line of git's stderr that says what went wrong, fit for clients. */
export function errorText(context: GitHttpContext, ref: RepositoryRef, stderr: string): string {
  const lines = context.clean(stderr, ref).split("\n").filter((line) => line.trim() !== "");
  const telling = lines.find((line) => line.startsWith("fatal: ")) ?? lines.at(-1) ?? "git failed";
  return reasonLine(telling.replace(/^(fatal|error): /, ""));
}
