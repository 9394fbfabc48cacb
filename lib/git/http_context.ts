import type { Logger } from "../observe/mod.ts";
import type { Clock } from "../world/mod.ts";
import { RequestRoom } from "./fetch_request.ts";
import type { Git } from "./git.ts";
import { PackCache, type PackCacheResult } from "./pack_cache.ts";
import { ProcessGate } from "./process_gate.ts";
import type { PushGate } from "./push_gate.ts";
import type { Repositories } from "./repository.ts";
import type { RepositoryRef } from "./repository_ref.ts";
import { RefViews } from "./ref_views.ts";
import { Deadlines } from "./deadlines.ts";

/** Bounds of the git service. Sizes in bytes, times in milliseconds. */
export interface GitHttpLimits {
  /** Largest pack of one push; 0 = unlimited. Also given to git itself. */
  readonly maxPushBytes: number;
  /** Git children for clients at one time. */
  readonly maxGitProcesses: number;
  /** A child that makes no progress for this long is ended. */
  readonly gitTimeoutMs: number;
  /** Bytes of answers kept on disk for later requests; 0, the default, keeps and shares none. */
  readonly packCacheBytes?: number;
  /** Longest wait for a free child, default 30 s. */
  readonly queueWaitMs?: number;
  /** Longest silence of a client that is sending, default 60 s. */
  readonly bodyIdleMs?: number;
}

/** What the git service counts. */
export interface GitMetrics {
  /** One finished POST; discovery and probes are not operations. */
  operation(
    operation: "fetch" | "clone" | "push",
    status: "success" | "error" | "denied",
    seconds: number,
  ): void;
  /** Body bytes of a repository that exists. */
  bytes(direction: "in" | "out", count: number, repository: RepositoryRef): void;
  /** One per push that carries commands. */
  authorization(result: "allowed" | "denied"): void;
  /** One per POST that asks for a pack. */
  packCache(result: PackCacheResult): void;
  /** A client's child ended badly. */
  processFailure(reason: "spawn" | "exit" | "timeout" | "killed"): void;
}

/** Counts nothing. */
export const noMetrics: GitMetrics = {
  operation: () => {},
  bytes: () => {},
  authorization: () => {},
  packCache: () => {},
  processFailure: () => {},
};

/** What {@link createGitHttp} needs. */
export interface GitHttpOptions {
  readonly git: Git;
  readonly repositories: Repositories;
  readonly gate: PushGate;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: GitHttpLimits;
  /** False when the disk has too little room for what could be done without; default true. */
  readonly hasSpace?: () => Promise<boolean>;
  readonly metrics?: GitMetrics;
  /** Present when contributors' repositories are offered below `/prs/` (GRASP-06). */
  readonly contributions?: ContributionService;
}

/** What the git service needs for contributors' repositories. */
export interface ContributionService {
  /** Largest pack of one push, in bytes; 0 = unlimited. */
  readonly maxPushBytes: number;
  /** Told when a request no longer uses a repository. */
  released(repository: RepositoryRef): Promise<void>;
}

const MAX_FETCH_REQUEST_BYTES = 32 << 20;
/** Some 80 MiB of memory. */
const REQUEST_ROOM_BYTES = 16 << 20;
const QUEUE_WAIT_MS = 30_000;
const BODY_IDLE_MS = 60_000;

/** What the handlers of one server share. */
export class GitHttpContext {
  readonly git: Git;
  readonly repositories: Repositories;
  readonly gate: PushGate;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: GitHttpLimits;
  readonly metrics: GitMetrics;
  readonly contributions: ContributionService | undefined;
  readonly places: ProcessGate;
  /** What discovery is answered from. */
  readonly views: RefViews;
  /** Packs that others ask for as well. */
  readonly packs: PackCache;
  /** For large requests for packs that are being read. */
  readonly requestRoom = new RequestRoom(REQUEST_ROOM_BYTES);
  /** Aborts when the service has been told to end everything. */
  readonly stopping = new AbortController();
  readonly #bodyIdleMs: number;
  readonly #deadlines: Deadlines;
  readonly #transfers = new Set<Promise<void>>();

  constructor(options: GitHttpOptions) {
    this.git = options.git;
    this.repositories = options.repositories;
    this.gate = options.gate;
    this.clock = options.clock;
    this.log = options.log;
    this.limits = options.limits;
    this.metrics = options.metrics ?? noMetrics;
    this.contributions = options.contributions;
    this.#bodyIdleMs = options.limits.bodyIdleMs ?? BODY_IDLE_MS;
    this.#deadlines = new Deadlines(this.clock, this.#bodyIdleMs, this.stopping.signal);
    this.places = new ProcessGate(
      () => options.limits.maxGitProcesses,
      options.limits.queueWaitMs ?? QUEUE_WAIT_MS,
      options.clock,
    );
    this.views = new RefViews({
      git: this.git,
      clock: this.clock,
      places: this.places,
      timeoutMs: () => this.limits.gitTimeoutMs,
      stopping: this.stopping.signal,
      track: (work) => this.track(work),
    });
    this.packs = new PackCache({
      root: this.repositories.root,
      maxBytes: () => this.limits.packCacheBytes ?? 0,
      hasSpace: options.hasSpace ?? (() => Promise.resolve(true)),
      // Below the time after which the child that is held up would be ended.
      patienceMs: () => this.limits.gitTimeoutMs / 2,
      clock: this.clock,
      log: this.log,
      track: (work) => this.track(work),
    });
    this.repositories.onGone = (path) => this.packs.forgetRepository(path);
  }

  /** Limits for the body of a fetch. */
  fetchBody(onBytes: (count: number) => void) {
    return this.#body(MAX_FETCH_REQUEST_BYTES, onBytes);
  }

  /** Limits for the body of a push: above git's own limit, whose refusal clients can show. */
  pushBody(ref: RepositoryRef, onBytes: (count: number) => void) {
    const { maxPushBytes } = ref.space === "prs" && this.contributions ? this.contributions : this.limits;
    return this.#body(maxPushBytes > 0 ? Math.ceil(maxPushBytes * 1.1) : Infinity, onBytes);
  }

  #body(maxBytes: number, onBytes: (count: number) => void) {
    return { maxBytes, idleMs: this.#bodyIdleMs, clock: this.clock, deadlines: this.#deadlines, onBytes };
  }

  /** Remembers a transfer until it ends; a push goes on without its client. */
  track(transfer: Promise<void>): void {
    const tracked: Promise<void> = transfer.finally(() => this.#transfers.delete(tracked));
    this.#transfers.add(tracked);
  }

  /** Resolves when no push and no fetch is running. */
  async transfersEnded(): Promise<void> {
    while (this.#transfers.size > 0) await Promise.all(this.#transfers);
  }

  /** Text of git's that a client may see. */
  clean(text: string, ref: RepositoryRef): string {
    return this.repositories.clean(text, ref);
  }
}

/** Calls `onIdle` once when {@link touch} has not been called for `limitMs`. */
export class IdleWatch {
  readonly #clock: Clock;
  readonly #over = new AbortController();
  #last: number;

  constructor(clock: Clock, limitMs: number, onIdle: () => void) {
    this.#clock = clock;
    this.#last = clock.now();
    this.#watch(limitMs, onIdle);
  }

  /** Something moved. */
  touch(): void {
    this.#last = this.#clock.now();
  }

  /** Ends the watch. */
  stop(): void {
    this.#over.abort();
  }

  async #watch(limitMs: number, onIdle: () => void): Promise<void> {
    while (!this.#over.signal.aborted) {
      const left = this.#last + limitMs - this.#clock.now();
      if (left <= 0) return onIdle();
      await this.#clock.sleep(left, this.#over.signal);
    }
  }
}
