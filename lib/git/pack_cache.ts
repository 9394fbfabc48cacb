import type { Logger } from "../observe/mod.ts";
import type { Clock } from "../world/mod.ts";
import { PackSpool, type SpoolReader } from "./pack_spool.ts";
import { Recent } from "./recent.ts";
import { internalError } from "./response.ts";

/** Folder below the git data path that holds the answers; emptied at each start. */
const FOLDER = ".pack-cache";
/** Answers kept, however small. */
const MAX_ANSWERS = 4_096;
/** One answer may take this part of the whole. */
const LARGEST_PART = 2;
/** Two requests further apart are not worth an answer kept. */
const AGAIN_MS = 600_000;
/** How long answers of a kind pass the cache by after one that was too large. */
const TOO_LARGE_MS = 3_600_000;

/** How a request for a pack was answered: from a kept answer, by a child for it, by one for another client, without the cache. */
export type PackCacheResult = "hit" | "miss" | "shared" | "bypass";

/** What {@link PackCache} needs. */
export interface PackCacheOptions {
  /** The git data path. */
  readonly root: string;
  /** Bytes of all answers together, asked each time: it may change; 0 = nothing is kept or shared. */
  readonly maxBytes: () => number;
  /** False when the disk has too little room. */
  readonly hasSpace: () => Promise<boolean>;
  /** How long one client may hold up others that share an answer too large to keep, in milliseconds. */
  readonly patienceMs: () => number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of work that goes on without the client that caused it. */
  readonly track: (work: Promise<void>) => void;
}

/** An answer as it is made. */
export interface Produced {
  readonly response: Response;
  /** How git ended, once the body has; undefined when none was started. */
  readonly outcome: () => "success" | "error" | undefined;
  /** Asked once the body has ended well: whether later requests may get the same. */
  readonly isLasting: () => Promise<boolean>;
}

/** Makes an answer; ends early, however it can, when `signal` aborts. */
export type Produce = (signal: AbortSignal) => Promise<Produced>;

/** What every client of one answer gets. */
export interface Beginning {
  readonly status: number;
  readonly headers: Headers;
}

/** A client's part in an answer. */
export interface Joined {
  readonly result: "hit" | "miss" | "shared";
  /** Never rejects. */
  readonly begun: Promise<Beginning>;
  /** Must be cut in the end. */
  readonly reader: SpoolReader;
  /** See {@link Produced}; once the reader has seen the end. */
  readonly outcome: () => "success" | "error" | undefined;
}

/** What is asked. */
export interface Question {
  /** The directory of the repository. */
  readonly repository: string;
  /** Says all that the answer depends on. */
  readonly key: string;
  /** Equal for questions that differ in the objects only: their answers are of a size. */
  readonly shape: string;
}

interface Answer extends Question {
  readonly spool: PackSpool;
  readonly begun: Promise<Beginning>;
  /** Bytes it counts for. */
  held: number;
  outcome: "success" | "error" | undefined;
  /** `made`: its producer is at work. `ended`: no more bytes come. `kept`: it is served until it is evicted. */
  state: "made" | "ended" | "kept";
}

/**
 * Whole answers to requests for packs, in files. Equal requests at one time share one producer, which ends
 * when none of their clients is left; answers that may last serve later requests, the one used longest ago
 * goes first. Whatever cannot be kept or shared, the caller answers
 * as if there were no cache.
 */
export class PackCache {
  readonly #options: PackCacheOptions;
  readonly #folder: string;
  /** By key, oldest use first. What is not in here is not found by later requests, but may be in use. */
  readonly #answers = new Map<string, Answer>();
  readonly #asked: Recent;
  readonly #tooLarge: Recent;
  #bytes = 0;
  #files = 0;

  constructor(options: PackCacheOptions) {
    this.#options = options;
    this.#folder = `${options.root}/${FOLDER}`;
    this.#asked = new Recent(options.clock, AGAIN_MS);
    this.#tooLarge = new Recent(options.clock, TOO_LARGE_MS);
  }

  /** Bytes in files. */
  get size(): number {
    return this.#bytes;
  }

  /** False while nothing is kept or shared. */
  get isOn(): boolean {
    return this.#options.maxBytes() > 0;
  }

  /** Removes what an earlier server left. Never rejects. */
  async clear(): Promise<void> {
    try {
      await Deno.remove(this.#folder, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      this.#options.log.warn("the pack cache of an earlier run could not be removed", { folder: FOLDER });
    }
  }

  /** True when this is not the first such call for `request` within ten minutes. */
  isAskedAgain(request: string): boolean {
    const isAgain = this.#asked.has(request);
    this.#asked.note(request);
    return isAgain;
  }

  /** Takes part in the answer to `question`, which `produce` makes unless there is one. Undefined: not through the cache. */
  async join(question: Question, produce: Produce): Promise<Joined | undefined> {
    const { key, shape } = question;
    const found = this.#find(key);
    if (found) return found;
    if (!this.isOn || this.#tooLarge.has(this.#limited(shape))) return undefined;
    if (this.#bytesInUse() > this.#options.maxBytes() / LARGEST_PART) return undefined;
    if (!await this.#options.hasSpace().catch(() => false)) return undefined;
    return this.#find(key) ?? this.#begin(question, produce);
  }

  /** Evicts what a limit that was lowered leaves no room for. */
  trim(): void {
    this.#makeRoom(0);
  }

  /** Removes all that is kept; who is reading goes on. False when there was nothing. */
  giveUp(): boolean {
    const kept = [...this.#answers.values()].filter(({ state }) => state === "kept");
    for (const answer of kept) this.#forget(answer);
    return kept.length > 0;
  }

  /** Removes every answer about the repository at `path`; who is reading goes on. */
  forgetRepository(path: string): void {
    for (const answer of this.#answers.values()) if (answer.repository === path) this.#forget(answer);
  }

  /** Another limit may have room for what was too large. */
  #limited(shape: string): string {
    return `${this.#options.maxBytes()} ${shape}`;
  }

  #find(key: string): Joined | undefined {
    const answer = this.#answers.get(key);
    const reader = answer?.spool.open();
    if (!answer || !reader) {
      if (answer) this.#forget(answer);
      return undefined;
    }
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    return joined(answer, answer.state === "made" ? "shared" : "hit", reader);
  }

  #begin(question: Question, produce: Produce): Joined | undefined {
    const begun = Promise.withResolvers<Beginning>();
    const abandoned = new AbortController();
    const onUnread = () => this.#unread(answer, abandoned);
    const spool = this.#newSpool((bytes) => this.#reserve(answer, bytes), onUnread);
    if (!spool) return undefined;
    const answer: Answer = {
      ...question,
      spool,
      begun: begun.promise,
      held: 0,
      outcome: undefined,
      state: "made",
    };
    const reader = spool.open();
    if (!reader) {
      spool.end("cut");
      spool.remove();
      return undefined;
    }
    this.#answers.set(question.key, answer);
    this.#options.track(this.#make(answer, produce, abandoned.signal, begun.resolve));
    return joined(answer, "miss", reader);
  }

  #newSpool(reserve: (bytes: number) => boolean, onUnread: () => void): PackSpool | undefined {
    const { clock, log, patienceMs } = this.#options;
    try {
      Deno.mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      const path = `${this.#folder}/${++this.#files}.part`;
      return new PackSpool({ path, clock, reserve, onUnread, patienceMs: patienceMs() });
    } catch {
      log.warn("the pack cache cannot be written", { folder: FOLDER });
      return undefined;
    }
  }

  async #make(answer: Answer, produce: Produce, signal: AbortSignal, begin: (beginning: Beginning) => void) {
    const { spool } = answer;
    let isWhole = false;
    let produced: Produced | undefined;
    try {
      produced = await produce(signal);
      begin({ status: produced.response.status, headers: produced.response.headers });
      for await (const bytes of produced.response.body ?? []) {
        await spool.append(bytes);
        if (!spool.isKept) this.#forget(answer);
      }
      isWhole = true;
    } catch {
      const { status, headers } = internalError();
      begin({ status, headers }); // has no effect once it has begun; then the cut says it
    }
    answer.outcome = produced?.outcome();
    answer.state = "ended";
    spool.end(isWhole ? "whole" : "cut");
    const mayLast = isWhole && !signal.aborted && spool.isKept;
    if (mayLast && await produced?.isLasting().catch(() => false)) this.#keep(answer);
    else this.#forget(answer);
  }

  #keep(answer: Answer): void {
    try {
      answer.spool.rename(`${this.#folder}/${++this.#files}.pack`);
      answer.state = "kept";
      if (this.#answers.get(answer.key) !== answer) this.#forget(answer);
    } catch {
      this.#forget(answer);
    }
    this.trim();
  }

  #reserve(answer: Answer, bytes: number): boolean {
    if (answer.held + bytes > this.#options.maxBytes() / LARGEST_PART) {
      this.#tooLarge.note(this.#limited(answer.shape));
      return false;
    }
    if (!this.#makeRoom(bytes)) return false;
    answer.held += bytes;
    this.#bytes += bytes;
    return true;
  }

  /** Bytes that cannot be evicted: an answer that finds no room keeps pace with its slowest client. */
  #bytesInUse(): number {
    const idle = [...this.#answers.values()].filter(isIdle);
    return idle.reduce((bytes, { held }) => bytes - held, this.#bytes);
  }

  /** Evicts what nobody reads until `bytes` more fit; false when they do not. */
  #makeRoom(bytes: number): boolean {
    const maxBytes = this.#options.maxBytes();
    const fits = () => this.#bytes + bytes <= maxBytes && this.#answers.size <= MAX_ANSWERS;
    for (const answer of fits() ? [] : this.#answers.values()) {
      if (isIdle(answer)) this.#forget(answer);
      if (fits()) break;
    }
    return this.#bytes + bytes <= maxBytes;
  }

  /** Nobody finds `answer` any more; its file goes when nobody uses it. */
  #forget(answer: Answer): void {
    if (this.#answers.get(answer.key) === answer) this.#answers.delete(answer.key);
    if (answer.state !== "made" && answer.spool.readers === 0) this.#remove(answer);
  }

  #unread(answer: Answer, abandoned: AbortController): void {
    if (answer.state === "made") {
      this.#forget(answer);
      abandoned.abort();
    } else if (this.#answers.get(answer.key) !== answer) this.#remove(answer);
  }

  #remove(answer: Answer): void {
    answer.spool.remove();
    this.#bytes -= answer.held;
    answer.held = 0;
  }
}

function isIdle({ state, spool }: Answer): boolean {
  return state === "kept" && spool.readers === 0;
}

function joined(answer: Answer, result: Joined["result"], reader: SpoolReader): Joined {
  return { result, begun: answer.begun, reader, outcome: () => answer.outcome };
}
