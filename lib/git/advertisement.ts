import { learnCapabilities } from "./capabilities.ts";
import { childStream } from "./child_stream.ts";
import type { GitChild } from "./git_process.ts";
import { type GitHttpContext, IdleWatch } from "./http_context.ts";
import { OutputReader } from "./output_reader.ts";
import { encodePkt, flushPkt, joinBytes } from "./pkt_line.ts";
import { gitProtocol, protocolVersion } from "./protocol_version.ts";
import { type AdvertisedCapabilities, advertisementOf, type Service } from "./ref_advertisement.ts";
import { RefView } from "./ref_view.ts";
import type { RepositoryRef } from "./repository_ref.ts";
import { gitResponse, internalError, plainResponse, tooBusy } from "./response.ts";
import { errorText } from "./upload_pack.ts";

/** What git prints for an empty repository before it learnt to name its capabilities there (2.41). */
const EMPTY_V0 = "0000";
const EMPTY_V1 = "000eversion 1\n0000";
/** Between attempts to learn what git advertises. */
const LEARN_AGAIN_MS = 60_000;
const NO_REFS = RefView.parse(flushPkt())!;

/** What is advertised, and who hears of the traffic. */
interface Source {
  readonly ref: RepositoryRef;
  readonly path: string;
  readonly onBytes: (count: number) => void;
  /** Its refs, see {@link RefViews.read}. */
  readonly view: () => Promise<RefView | "busy" | undefined>;
}

/** Answers `GET …/info/refs` (git-http 1.6), from memory where that says what git would say. */
export class Advertisements {
  readonly #context: GitHttpContext;
  /** Undefined inside: this git is not one whose advertisements we know. */
  #capabilities: Promise<AdvertisedCapabilities | undefined> | undefined;
  /** On the monotonic clock. */
  #learnAgainAt = Infinity;
  /** The repository that stays empty. */
  #empty: { readonly path: string; readonly view: RefView } | undefined;

  constructor(context: GitHttpContext) {
    this.#context = context;
  }

  /**
   * The advertisement of an existing repository for the service named in the query of `request`.
   * `release` is called when the repository is no longer used.
   */
  async answer(ref: RepositoryRef, request: Request, release: () => void): Promise<Response> {
    const path = this.#context.repositories.path(ref);
    const onBytes = (count: number) => this.#context.metrics.bytes("out", count, ref);
    return await this.#answer(
      { ref, path, onBytes, view: () => this.#context.views.read(path) },
      request,
      release,
    );
  }

  /** Reads the repository at `path`, which stays empty, for {@link answerEmpty}. Rejects when git does not work. */
  async prepareEmpty(path: string): Promise<void> {
    const view = await this.#context.views.read(path);
    if (view === undefined || view === "busy") throw new Error("git did not list an empty repository");
    this.#empty = { path, view };
    await this.#learnt();
  }

  /**
   * The advertisement of a repository without any ref, whatever its name (GRASP-06): nothing is looked
   * up or tallied. {@link prepareEmpty} comes first.
   */
  async answerEmpty(ref: RepositoryRef, request: Request): Promise<Response> {
    if (!this.#empty) return internalError();
    const { path, view } = this.#empty;
    const source = { ref, path, onBytes: () => {}, view: () => Promise.resolve(view) };
    return await this.#answer(source, request, () => {});
  }

  async #answer(source: Source, request: Request, release: () => void): Promise<Response> {
    const service = serviceOf(request);
    if (service === undefined) {
      release();
      return dumbProtocol();
    }
    const known = await this.#fromMemory(source, service, versionFor(service, request));
    if (known instanceof Uint8Array) {
      release();
      if (request.method !== "HEAD") source.onBytes(known.length);
      return gitResponse(typeOf(service), known);
    }
    const leave = known === "busy" ? undefined : await this.#context.places.enter(request.signal);
    if (!leave) {
      release();
      return tooBusy();
    }
    return await this.#run(source, service, request, () => (leave(), release()));
  }

  /** Undefined when only git can tell. */
  async #fromMemory({ path, view }: Source, service: Service, version: 0 | 1 | 2) {
    const capabilities = await this.#learnt();
    if (!capabilities) return undefined;
    if (version === 2) {
      return await this.#context.views.isPlain(path) ? capabilities.version2 : undefined;
    }
    const refs = await view();
    return refs === undefined || refs === "busy" ? refs : bodyOf(refs, capabilities, service, version);
  }

  /** What this git advertises beside refs; learnt once, and tried again after a while when git fails. */
  #learnt(): Promise<AdvertisedCapabilities | undefined> {
    const { clock } = this.#context;
    if (clock.monotonic() >= this.#learnAgainAt) this.#capabilities = undefined;
    return this.#capabilities ??= this.#learn();
  }

  async #learn(): Promise<AdvertisedCapabilities | undefined> {
    const { git, repositories, log, clock } = this.#context;
    this.#learnAgainAt = Infinity;
    try {
      const capabilities = await learnCapabilities(git, repositories.root);
      if (!capabilities) log.warn("git advertises in an unknown way: it is started for every discovery");
      return capabilities;
    } catch (error) {
      this.#learnAgainAt = clock.monotonic() + LEARN_AGAIN_MS;
      log.error("git's capabilities could not be read", { error: repositories.clean(String(error)) });
      return undefined;
    }
  }

  async #run(
    source: Source,
    service: Service,
    request: Request,
    release: () => void,
  ): Promise<Response> {
    const context = this.#context;
    const protocol = gitProtocol(request);
    let child: GitChild;
    try {
      child = context.git.spawn(
        [
          service.slice("git-".length),
          "--stateless-rpc",
          "--advertise-refs",
          ...(service === "git-upload-pack" ? ["--strict"] : []),
          source.path,
        ],
        {
          signal: AbortSignal.any([request.signal, context.stopping.signal]),
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
    return await this.#stream(source, service, versionFor(service, request), child, watch);
  }

  async #stream(
    { ref, onBytes }: Source,
    service: Service,
    version: 0 | 1 | 2,
    child: GitChild,
    watch: IdleWatch,
  ): Promise<Response> {
    const context = this.#context;
    const prefix = serviceLine(service, version);
    const reader = new OutputReader(child.stdout);
    const start = await readStart(reader);
    if (start.length === 0) {
      const exit = await child.ended;
      context.metrics.processFailure(exit.signal === undefined ? "exit" : "killed");
      if (exit.signal !== undefined) return internalError();
      return gitResponse(
        typeOf(service),
        joinBytes([prefix, encodePkt(`ERR ${errorText(context, ref, child.stderr())}\n`)]),
      );
    }
    const capabilities = service === "git-upload-pack" && isEmptyForm(start)
      ? await this.#learnt()
      : undefined;
    if (capabilities) {
      await reader.cancel();
      return gitResponse(typeOf(service), bodyOf(NO_REFS, capabilities, service, version));
    }
    const head = joinBytes([prefix, start]);
    const progress = (count: number) => {
      watch.touch();
      onBytes(count);
    };
    return gitResponse(
      typeOf(service),
      childStream({ child, reader, head, onBytes: progress, onEnd: () => {} }),
    );
  }
}

function typeOf(service: Service): string {
  return `application/x-${service}-advertisement`;
}

function bodyOf(
  view: RefView,
  capabilities: AdvertisedCapabilities,
  service: Service,
  version: 0 | 1 | 2,
): Uint8Array {
  return joinBytes([serviceLine(service, version), advertisementOf(view, capabilities, service, version)]);
}

/** Versions 0 and 1 name the service first. */
function serviceLine(service: Service, version: 0 | 1 | 2): Uint8Array {
  return version === 2 ? new Uint8Array() : joinBytes([encodePkt(`# service=${service}\n`), flushPkt()]);
}

const SERVICE = "service=";

function serviceOf(request: Request): Service | undefined {
  const query = queryOf(request.url);
  // What every client sends, without the parser.
  const usual = query.startsWith(SERVICE) ? query.slice(SERVICE.length) : undefined;
  if (usual === "git-upload-pack" || usual === "git-receive-pack") return usual;
  const service = new URLSearchParams(query).get("service");
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
function versionFor(service: Service, request: Request): 0 | 1 | 2 {
  const version = protocolVersion(gitProtocol(request));
  return service === "git-receive-pack" && version === 2 ? 0 : version;
}

/** Enough output to recognise the advertisement of an empty repository, or all of it. */
async function readStart(reader: OutputReader): Promise<Uint8Array> {
  let start = new Uint8Array();
  while (start.length <= EMPTY_V1.length) {
    const value = await reader.read();
    if (value === undefined) break;
    start = joinBytes([start, value]) as Uint8Array<ArrayBuffer>;
  }
  return start;
}

function isEmptyForm(start: Uint8Array): boolean {
  const text = new TextDecoder("latin1").decode(start);
  return text === EMPTY_V0 || text === EMPTY_V1;
}
