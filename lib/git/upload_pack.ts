import { createHash } from "node:crypto";
import { childStream } from "./child_stream.ts";
import { FetchOutputFilter } from "./fetch_output.ts";
import { type FetchRequest, isPlain, readFetchRequest, type RequestRoom } from "./fetch_request.ts";
import type { GitChild, GitExit } from "./git_process.ts";
import { type GitHttpContext, IdleWatch } from "./http_context.ts";
import { answerLsRefs, type LsRefsRequest, readLsRefs } from "./ls_refs.ts";
import { OutputReader } from "./output_reader.ts";
import { type PartObserver, partResponse } from "./pack_answer.ts";
import type { Produce } from "./pack_cache.ts";
import { encodePkt } from "./pkt_line.ts";
import { gitProtocol, protocolVersion } from "./protocol_version.ts";
import { reasonLine } from "./push_report.ts";
import { RefView } from "./ref_view.ts";
import type { RepositoryRef } from "./repository_ref.ts";
import { BodyError, type BodyReader } from "./received_body.ts";
import { openBody, pump, type PumpEnd } from "./request_body.ts";
import { gitResponse, internalError, plainResponse, tooBusy } from "./response.ts";

const RESULT_TYPE = "application/x-git-upload-pack-result";

/**
 * Answers `POST …/git-upload-pack` (git-http 1.7): a listing of refs from memory, packs that others ask for
 * as well from the pack cache; for all else both directions stream, with back-pressure.
 * `release` is called when the repository is no longer used. With `path` another directory is read in place
 * of the repository, which does not exist: nothing is tallied for it.
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
  const asked = await readAsked(context, source, request);
  if (asked instanceof Response) {
    release();
    return asked;
  }
  const shared = await fromCache(context, source, request, asked, release);
  if (shared) return shared;
  if (asked.operation) context.metrics.packCache("bypass");
  const { answer } = await start(context, source, asked, request.signal, release, asked.finish);
  return answer;
}

/** Lines of a request that name an object. */
const OBJECT = /^(want|have|shallow) /;

type OnBytes = (direction: "in" | "out", count: number) => void;

/** What is read from, and who hears of the traffic. */
interface Source {
  readonly ref: RepositoryRef;
  readonly path: string;
  readonly onBytes: OnBytes;
}

type Finish = (status: "success" | "error") => void;

/** A request that needs a child, or the output of one. */
interface Asked {
  readonly body: BodyReader;
  /** What was read of the body. */
  readonly head: Uint8Array;
  readonly protocol: string | undefined;
  /** Undefined when only git can answer. */
  readonly fetch: FetchRequest | undefined;
  readonly operation: "fetch" | "clone" | undefined;
  /** Counts the operation, once. */
  readonly finish: Finish;
}

/** Reads what the request is about. A response when that fails, or when it is a listing known from memory. */
async function readAsked(
  context: GitHttpContext,
  source: Source,
  request: Request,
): Promise<Asked | Response> {
  const startedAt = context.clock.now();
  const body = openBody(request, context.fetchBody((count) => source.onBytes("in", count)));
  if (body instanceof Response) return body;
  const protocol = gitProtocol(request);
  const head = await readHead(
    body,
    protocolVersion(protocol),
    context.packs.isOn ? context.requestRoom : undefined,
  );
  if (head instanceof Error) return head instanceof BodyError ? head.toResponse() : internalError();
  if (head.bytes.length === 0) return plainResponse(400, "Git error: empty request body");
  const view = head.listing && await context.views.read(source.path);
  if (view === "busy") return await refuseBusy(body);
  if (head.listing && view !== undefined) {
    const listing = answerLsRefs(view, head.listing);
    source.onBytes("out", listing.length);
    return gitResponse(RESULT_TYPE, listing);
  }
  const operation = operationOf(head.bytes);
  const finish: Finish = (status) => {
    if (operation) context.metrics.operation(operation, status, (context.clock.now() - startedAt) / 1000);
  };
  return { body, head: head.bytes, protocol, fetch: head.fetch, operation, finish };
}

async function refuseBusy(body: BodyReader): Promise<Response> {
  await body.cancel().catch(() => {});
  return tooBusy();
}

interface Head {
  readonly bytes: Uint8Array;
  readonly listing?: LsRefsRequest | undefined;
  readonly fetch?: FetchRequest | undefined;
}

/** The first bytes; the whole body when it is a request for refs, or with `room` for a pack, that we understand. */
async function readHead(
  body: BodyReader,
  version: 0 | 1 | 2,
  room: RequestRoom | undefined,
): Promise<Head | Error> {
  try {
    const { value = new Uint8Array() } = await body.read();
    const { bytes, request: listing } = version === 2
      ? await readLsRefs(value, body)
      : { bytes: value, request: undefined };
    if (listing || !room || bytes.length === 0) return { bytes, listing };
    const { bytes: all, request: fetch } = await readFetchRequest(version, bytes, body, room);
    return { bytes: all, fetch };
  } catch (error) {
    return error as Error;
  }
}

/** The answer through the pack cache; undefined when the request is none for it. */
async function fromCache(
  context: GitHttpContext,
  source: Source,
  request: Request,
  asked: Asked,
  release: () => void,
): Promise<Response | undefined> {
  const { packs, views } = context;
  packs.trim();
  if (!asked.fetch) return undefined;
  const { lines, isClone } = asked.fetch;
  const name = (given: readonly string[]) => nameOf([source.path, asked.protocol ?? "", ...given]);
  const key = name(lines);
  if (!isClone && !packs.isAskedAgain(key)) return undefined;
  const view = await views.read(source.path);
  if (view === "busy") {
    release();
    return await refuseBusy(asked.body);
  }
  // What no ref leads to is left to git, which knows whether it is still there.
  if (!(view instanceof RefView) || !view.leadsToAll(asked.fetch.wants)) return undefined;
  const shape = name([isClone ? "clone" : "fetch", ...lines.filter((line) => !OBJECT.test(line))]);
  const question = { repository: source.path, key: `${key} ${view.digest}`, shape };
  const joined = await packs.join(question, producer(context, source, asked, view, release));
  if (!joined) return undefined;
  if (joined.result !== "miss") release(); // the file is all it takes
  context.metrics.packCache(joined.result);
  return await partResponse(context, joined, request.signal, observer(source, asked.finish));
}

/** Apart, because it lives as long as the client reads: with what {@link fromCache} closes over, megabytes would. */
function observer({ onBytes }: Source, finish: Finish): PartObserver {
  return {
    onBytes: (count) => onBytes("out", count),
    onEnd: (status) => status && finish(status),
  };
}

/** Lets git make the answer for the pack cache; it may last while the refs are those of `view`. */
function producer(
  context: GitHttpContext,
  source: Source,
  asked: Asked,
  view: RefView,
  release: () => void,
): Produce {
  return async (signal) => {
    let outcome: "success" | "error" | undefined;
    const { answer, filter, ended } = await start(
      context,
      { ...source, onBytes: () => {} },
      asked,
      signal,
      release,
      (status) => outcome = status,
    );
    // What it was asked for is there to be asked for: other answers would hide what is wrong.
    void ended?.then(({ code, signal: killedBy }) => {
      if (code !== 0 && killedBy === undefined && !signal.aborted && asked.fetch && isPlain(asked.fetch)) {
        context.packs.forgetRepository(source.path);
      }
    });
    const isLasting = async () => {
      if (outcome !== "success" || !filter?.isWholePack) return false;
      const after = await context.views.read(source.path);
      return after instanceof RefView && after.digest === view.digest;
    };
    return { response: answer, outcome: () => outcome, isLasting };
  };
}

/** A short name for what `parts` say. */
function nameOf(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** An answer that a child gives. */
interface ChildAnswer {
  readonly answer: Response;
  /** What its output passes; undefined when there is none. */
  readonly filter?: FetchOutputFilter;
  /** How the child ends; undefined when none was started. */
  readonly ended?: Promise<GitExit>;
}

/** Lets git answer, as soon as there is a place for a child. It ends when `signal` aborts. */
async function start(
  context: GitHttpContext,
  source: Source,
  { body, head, protocol }: Asked,
  signal: AbortSignal,
  release: () => void,
  finish: Finish,
): Promise<ChildAnswer> {
  const leave = await context.places.enter(signal);
  if (!leave) {
    release();
    return { answer: await refuseBusy(body) };
  }
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
    return { answer: internalError() };
  }
  context.track(child.ended.then(() => {}));
  const filter = new FetchOutputFilter(context.repositories.knownPaths(source.ref));
  const run = new FetchRun(context, source, child, signal, () => (leave(), release()), finish, filter);
  const input = pump(head, body, child.stdin, { clock: context.clock, onProgress: () => run.touch() });
  return { answer: await run.answer(input), filter, ended: child.ended };
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
    readonly finish: Finish,
    readonly filter: FetchOutputFilter,
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
    const reader = new OutputReader(this.child.stdout);
    const output = reader.read();
    const failure = input.then((end) => end instanceof BodyError ? end : new Promise<never>(() => {}));
    const first = await Promise.race([output, failure]);
    if (first instanceof BodyError) {
      this.child.kill();
      await reader.cancel();
      this.finish("error");
      return first.toResponse();
    }
    if (first === undefined) return await this.#withoutOutput(input);
    this.touch();
    return gitResponse(
      RESULT_TYPE,
      childStream({
        child: this.child,
        reader,
        head: first,
        filter: this.filter,
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
