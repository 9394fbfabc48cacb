import {
  fetchRemote,
  type FetchSpec,
  type GitResult,
  KEEP_REFS,
  listRemote,
  objectBytesBeyond,
  objectFiles,
  type RemoteOptions,
  type RemoteRepository,
  TEMPORARY_REFS,
} from "../git/mod.ts";
import { isOid, pullRequestRef, ZERO_OID } from "../nostr/mod.ts";
import type { FetchResult } from "../observe/mod.ts";
import { randomHex } from "../world/mod.ts";
import { HUNT } from "./durations.ts";
import { type GitFailure, readGitFailure } from "./git_failure.ts";
import { keep } from "./look.ts";
import type { FetchOutcome, FetchRequest } from "./ports.ts";
import type { RemoteGitOptions } from "./remote_options.ts";

/** One fetch from a server that answered. */
export interface FetchTask {
  readonly request: FetchRequest;
  readonly remote: RemoteRepository;
  /** What the server advertised; undefined when it was not asked yet. */
  readonly refs: ReadonlyMap<string, string> | undefined;
  /** Asked at most once: may all branches be fetched? */
  mayFallBack(): boolean;
}

/** Ids asked for in one child. */
const CHUNK = 256;
/** Ids a server may lack before it is left: each costs a child. */
const MAX_ABSENT = 10;
/** Refs of a server whose branches are fetched as a whole. */
const MAX_FALLBACK_REFS = 10_000;

/** The conversation with one server: by id, then by advertised tip, then all branches. */
export class FetchRun {
  readonly #options: RemoteGitOptions;
  readonly #task: FetchTask;
  readonly #obtained = new Set<string>();
  readonly #absent = new Set<string>();
  readonly #path: string;
  readonly #endsAt: number;
  /** Aborted to end the running child: by the caller, by size, by a full disk. */
  readonly #stop = new AbortController();
  #stopped: FetchResult | undefined;
  #bytes = 0;
  #isPolicy = false;
  #failure: Extract<GitFailure, { type: "failed" }> | undefined;
  #text = "";

  constructor(options: RemoteGitOptions, task: FetchTask) {
    this.#options = options;
    this.#task = task;
    this.#path = options.repositories.path(task.request.target);
    this.#endsAt = options.clock.monotonic() + HUNT.fetchMs;
  }

  /** Runs the whole conversation. */
  async outcome(): Promise<FetchOutcome> {
    const { request } = this.#task;
    const before = await objectFiles(this.#path);
    const over = new AbortController();
    const abort = () => this.#stop.abort();
    request.signal.addEventListener("abort", abort, { once: true });
    if (request.signal.aborted) abort();
    const measured = this.#measure(before, over.signal);
    try {
      await this.#byIds();
      if (this.#isPolicy && !this.#isOver()) await this.#byRefs();
    } finally {
      over.abort();
      request.signal.removeEventListener("abort", abort);
      await measured;
    }
    this.#bytes = Math.max(this.#bytes, await objectBytesBeyond(this.#path, before));
    if (this.#failure) await this.#options.repositories.cleanLeftovers(request.target, 1);
    return this.#result();
  }

  #result(): FetchOutcome {
    const { category, retryAfterMs } = this.#failure ?? {};
    const failed = this.#stopped ?? this.#failure?.result;
    return {
      result: failed ?? (this.#obtained.size > 0 ? "fetched" : "nothing"),
      obtained: this.#obtained,
      absent: this.#absent,
      text: this.#text,
      bytes: this.#bytes,
      ...(category && { category }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
  }

  /** In chunks; an id the server lacks is struck out and the rest asked for again. */
  async #byIds(): Promise<void> {
    const oids = [...new Set(this.#task.request.oids)].filter(isOid);
    for (let start = 0; start < oids.length && !this.#isOver(); start += CHUNK) {
      const open = new Set(oids.slice(start, start + CHUNK));
      while (open.size > 0 && this.#absent.size < MAX_ABSENT) {
        const result = await this.#child([...open].map((oid) => ({ from: oid, to: KEEP_REFS + oid })));
        if (result.code === 0) {
          // From a server whose history is cut off git takes the objects and leaves the refs out.
          await this.#trustKeepRefs(open);
          for (const oid of open) if (!this.#obtained.has(oid)) this.#absent.add(oid);
          break;
        }
        if (!this.#noteFailure(result, open)) return;
      }
    }
  }

  /** True when the fetch may be repeated without the id that was missing. */
  #noteFailure(result: GitResult, open: Set<string>): boolean {
    const failure = readGitFailure(result);
    this.#text = lastLine(result.stderr);
    if (failure.type === "absent" && open.delete(failure.oid)) {
      this.#absent.add(failure.oid);
      return true;
    }
    if (failure.type === "policy") this.#isPolicy = true;
    else this.#failure = failure.type === "failed" ? failure : { type: "failed", result: "network" };
    return false;
  }

  /** The server gives nothing by id: what it advertises may lead there. */
  async #byRefs(): Promise<void> {
    const { request, remote } = this.#task;
    if (!request.branches) return;
    const { git } = this.#options;
    const refs = this.#task.refs ?? await listRemote(git, remote, this.#remoteOptions()) ?? new Map();
    await this.#byTips(refs);
    const open = this.#open();
    if (open.length === 0 || this.#isOver() || refs.size > MAX_FALLBACK_REFS) return;
    if (this.#task.mayFallBack()) await this.#allBranches(refs, open);
  }

  /** Wanted ids that are tips: each by the name of its ref. */
  async #byTips(refs: ReadonlyMap<string, string>): Promise<void> {
    const wanted = new Set(this.#open());
    const names = new Map<string, string>();
    for (const [name, oid] of refs) if (wanted.has(oid) && name.startsWith("refs/")) names.set(oid, name);
    const specs = [...names].map(([oid, name]) => ({ from: name, to: KEEP_REFS + oid }));
    for (let start = 0; start < specs.length && !this.#isOver(); start += CHUNK) {
      const result = await this.#child(specs.slice(start, start + CHUNK));
      if (result.code !== 0) this.#noteFailure(result, new Set());
    }
    if (specs.length > 0) await this.#trustKeepRefs(names.keys());
  }

  /** A ref may have moved between listing and fetching: then its keep ref holds something else. */
  async #trustKeepRefs(oids: Iterable<string>): Promise<void> {
    const { repositories } = this.#options;
    const { target } = this.#task.request;
    const { refs } = await repositories.readRefs(target);
    const wrong: { ref: string; oldOid: string; newOid: string }[] = [];
    for (const oid of oids) {
      const held = refs.get(KEEP_REFS + oid);
      if (held === oid) this.#obtained.add(oid);
      else if (held !== undefined) wrong.push({ ref: KEEP_REFS + oid, oldOid: held, newOid: ZERO_OID });
    }
    if (wrong.length > 0) await repositories.changeRefs(target, wrong);
  }

  /** Everything the server calls a branch, a tag or one of the pull requests, into a namespace that goes again. */
  async #allBranches(refs: ReadonlyMap<string, string>, open: readonly string[]): Promise<void> {
    const { repositories, random } = this.#options;
    const { target, pullRequestIds } = this.#task.request;
    const space = `${TEMPORARY_REFS}${randomHex(random, 8)}/`;
    // By name: for a pattern git would write whatever number of refs the server answers with this time.
    const below = (prefix: string, to: string): FetchSpec[] =>
      [...refs.keys()].filter((name) => name.startsWith(prefix))
        .map((name) => ({ from: name, to: space + to + name.slice(prefix.length) }));
    const specs = [
      ...below("refs/heads/", "h/"),
      ...below("refs/tags/", "t/"),
      ...pullRequestIds.filter((id) => refs.has(pullRequestRef(id)))
        .map((id) => ({ from: pullRequestRef(id), to: `${space}n/${id}` })),
    ];
    try {
      const result = await this.#child(specs);
      if (result.code !== 0) this.#noteFailure(result, new Set());
      const complete = await repositories.complete(target, open);
      await keep(repositories, target, complete);
      for (const oid of complete) this.#obtained.add(oid);
      if (result.code === 0) { for (const oid of this.#open()) this.#absent.add(oid); }
    } finally {
      const { refs: now } = await repositories.readRefs(target);
      const left = [...now].filter(([name]) => name.startsWith(space));
      await repositories.changeRefs(
        target,
        left.map(([ref, oldOid]) => ({ ref, oldOid, newOid: ZERO_OID })),
      );
    }
  }

  #open(): readonly string[] {
    return this.#task.request.oids.filter((oid) =>
      isOid(oid) && !this.#obtained.has(oid) && !this.#absent.has(oid)
    );
  }

  #isOver(): boolean {
    return this.#failure !== undefined || this.#stop.signal.aborted;
  }

  async #child(specs: readonly FetchSpec[]): Promise<GitResult> {
    const { remote } = this.#task;
    return await fetchRemote(this.#options.git, this.#path, remote, specs, this.#remoteOptions());
  }

  #remoteOptions(): RemoteOptions {
    const { clock, userAgent } = this.#options;
    return {
      timeoutMs: Math.max(this.#endsAt - clock.monotonic(), 1),
      stalledMs: HUNT.stalledMs,
      userAgent: `git/${userAgent}`,
      signal: this.#stop.signal,
    };
  }

  /** Watches what arrives on disk: git itself knows no limit for a fetch. */
  async #measure(before: ReadonlySet<string>, over: AbortSignal): Promise<void> {
    const { clock, settings, maxBytes } = this.#options;
    while (!over.aborted) {
      await clock.sleep(HUNT.measureMs, over);
      if (over.aborted) return;
      this.#bytes = Math.max(this.#bytes, await objectBytesBeyond(this.#path, before));
      if (clock.monotonic() >= this.#endsAt) this.#end("timeout");
      else if (maxBytes > 0 && this.#bytes > maxBytes) this.#end("too_large");
      else if (!await settings.hasSpace().catch(() => false)) this.#end("local");
    }
  }

  #end(result: FetchResult): void {
    this.#stopped ??= result;
    this.#stop.abort();
  }
}

function lastLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return lines.at(-1)?.slice(0, 300) ?? "";
}
