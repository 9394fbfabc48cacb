import { setImmediate } from "node:timers";
import { type Clock, systemClock } from "../world/mod.ts";
import type { NostrEvent } from "./event.ts";
import { openSecp256k1, type Secp256k1 } from "./secp256k1.ts";
import {
  isLargeEvent,
  loadWasmSignatureCheck,
  nativeSignatureCheck,
  type SignatureCheck,
} from "./signature.ts";

/** One batch for a worker. */
export interface VerifyRequest {
  readonly batch: number;
  readonly events: readonly NostrEvent[];
  /** Path of the system's libsecp256k1 to check with; undefined: WebAssembly. */
  readonly library: string | undefined;
}

/** A worker's answer to one batch, in the order of its events. */
export interface VerifyReply {
  readonly batch: number;
  readonly valid: readonly boolean[];
}

/** Checks Schnorr signatures (NIP-01). */
export interface Verifier {
  /** True when the signature is the author's. Never trusts marks on the object. Rejects once closed. */
  verify(event: NostrEvent): Promise<boolean>;
  /** Path of the system's libsecp256k1 in use; undefined: WebAssembly. */
  readonly library: string | undefined;
  /** Ends all workers; verifications under way reject. */
  close(): void;
}

/** Settings of {@link createVerifier}. */
export interface VerifierInput {
  /** Most worker threads; 0: everything on the calling thread. */
  readonly workers: number;
  readonly log: { warn(message: string, fields?: Readonly<Record<string, string | number>>): void };
  /** Which libsecp256k1 is used, as `NGIT_SECP256K1_LIBRARY` has it; empty: one in the usual places. */
  readonly library?: string;
  readonly clock?: Clock;
  /** Most verifications that wait; at the bound the caller's is done at once on its own thread. */
  readonly maxWaiting?: number;
  /** Where the worker's module is; tests name one that fails. */
  readonly workerUrl?: URL;
}

/**
 * Creates a {@link Verifier}: with the system's libsecp256k1 where it can be used, else with WebAssembly,
 * which is loaded when it is needed, as workers are started.
 */
export function createVerifier(input: VerifierInput): Verifier {
  const { library, problem } = openSecp256k1(input.library ?? "");
  if (problem !== undefined) input.log.warn("signatures are checked by WebAssembly", { problem });
  return new PooledVerifier(input, library);
}

interface Job {
  readonly event: NostrEvent;
  readonly settle: PromiseWithResolvers<boolean>;
}

/** Up to this many waiting verifications are cheaper here than the way to a worker and back. */
const MAX_LOCAL_JOBS = 4;
/** Most verifications of a batch: some 10 ms of a worker's time. A message costs as much as several of the library's. */
const BATCH_JOBS = { native: 256, wasm: 64 };
const MAX_WAITING = 20_000;
const BATCH_DEADLINE_MS = 30_000;
/** Workers that failed this often are not started again. */
const MAX_FAILURES = 5;

/**
 * Verifications requested in one turn of the event loop are looked at together: a few are done
 * right here, a backlog goes to workers in batches, one batch per worker at a time.
 */
class PooledVerifier implements Verifier {
  readonly #input: VerifierInput;
  readonly #clock: Clock;
  readonly #library: Secp256k1 | undefined;
  readonly #batchJobs: number;
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, { readonly jobs: readonly Job[]; readonly done: AbortController }>();
  #waiting: Job[] = [];
  #check: Promise<SignatureCheck> | undefined;
  #isScheduled = false;
  #isClosed = false;
  #batches = 0;
  #failures = 0;

  constructor(input: VerifierInput, library: Secp256k1 | undefined) {
    this.#input = input;
    this.#library = library;
    this.#check = library && Promise.resolve(nativeSignatureCheck(library));
    this.#batchJobs = BATCH_JOBS[library ? "native" : "wasm"];
    this.#clock = input.clock ?? systemClock;
  }

  get library(): string | undefined {
    return this.#library?.path;
  }

  verify(event: NostrEvent): Promise<boolean> {
    const job: Job = { event, settle: Promise.withResolvers<boolean>() };
    if (this.#isClosed) job.settle.reject(new Error("the verifier is closed"));
    else if (this.#waiting.length >= (this.#input.maxWaiting ?? MAX_WAITING)) void this.#runHere([job]);
    else {
      this.#waiting.push(job);
      this.#schedule();
    }
    return job.settle.promise;
  }

  close(): void {
    this.#isClosed = true;
    for (const worker of [...this.#idle, ...this.#busy.keys()]) worker.terminate();
    const left = [...this.#waiting, ...[...this.#busy.values()].flatMap(({ jobs }) => jobs)];
    for (const { done } of this.#busy.values()) done.abort();
    this.#idle.length = 0;
    this.#busy.clear();
    this.#waiting = [];
    this.#library?.close();
    for (const { settle } of left) settle.reject(new Error("the verifier is closed"));
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#dispatch();
    });
  }

  /** Hands out what waits; whatever finds no worker free waits for the next one to finish. */
  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const isBacklog = this.#waiting.length > MAX_LOCAL_JOBS ||
        this.#waiting.some(({ event }) => isLargeEvent(event));
      if (!isBacklog || !this.#hasWorkers) {
        void this.#runHere(this.#waiting.splice(0, MAX_LOCAL_JOBS));
        // One slice per turn, so that sockets and timers get theirs in between.
        if (this.#waiting.length > 0) this.#schedule();
        return;
      }
      const worker = this.#idle.pop() ?? this.#start();
      if (!worker) return;
      const share = Math.ceil(this.#waiting.length / this.#input.workers);
      this.#send(worker, this.#waiting.splice(0, Math.min(share, this.#batchJobs)));
    }
  }

  get #hasWorkers(): boolean {
    return this.#input.workers > 0 && this.#failures < MAX_FAILURES;
  }

  /** A new worker, or undefined when all are busy. */
  #start(): Worker | undefined {
    if (this.#busy.size + this.#idle.length >= this.#input.workers) return undefined;
    const url = this.#input.workerUrl ?? new URL("./verify_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<VerifyReply>) => this.#finish(worker, data);
    worker.onerror = (event) => {
      event.preventDefault(); // otherwise the error ends the process
      this.#fail(worker, event.message);
    };
    worker.onmessageerror = () => this.#fail(worker, "unreadable answer");
    return worker;
  }

  #send(worker: Worker, jobs: readonly Job[]): void {
    const done = new AbortController();
    this.#busy.set(worker, { jobs, done });
    const request: VerifyRequest = {
      batch: ++this.#batches,
      events: jobs.map(({ event }) => event),
      library: this.library,
    };
    worker.postMessage(request);
    void this.#clock.sleep(BATCH_DEADLINE_MS, done.signal).then(() => {
      if (!done.signal.aborted) this.#fail(worker, "no answer in time");
    });
  }

  #finish(worker: Worker, { valid }: VerifyReply): void {
    const batch = this.#busy.get(worker);
    if (!batch) return;
    this.#busy.delete(worker);
    batch.done.abort();
    this.#idle.push(worker);
    batch.jobs.forEach(({ settle }, index) => settle.resolve(valid[index] === true));
    this.#dispatch();
  }

  /** Gives up a worker; its batch is done here instead, so that no event pays for the failure. */
  #fail(worker: Worker, error: string): void {
    worker.terminate();
    const batch = this.#busy.get(worker);
    this.#busy.delete(worker);
    const index = this.#idle.indexOf(worker);
    if (index >= 0) this.#idle.splice(index, 1);
    if (this.#isClosed) return;
    this.#failures++;
    this.#input.log.warn("a signature worker failed", { error, failures: this.#failures });
    batch?.done.abort();
    if (batch) void this.#runHere(batch.jobs);
    this.#dispatch();
  }

  async #runHere(jobs: readonly Job[]): Promise<void> {
    try {
      const check = await (this.#check ??= loadWasmSignatureCheck());
      for (const { event, settle } of jobs) settle.resolve(check(event));
    } catch (error) {
      for (const { settle } of jobs) settle.reject(error);
    }
  }
}
