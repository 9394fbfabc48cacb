import type { Clock } from "../world/mod.ts";
import type { Git } from "./git.ts";
import { LIST_ALL } from "./ls_refs.ts";
import type { ProcessGate } from "./process_gate.ts";
import { RefFiles } from "./ref_files.ts";
import { RefView } from "./ref_view.ts";

/** What {@link RefViews} needs. */
export interface RefViewsOptions {
  readonly git: Git;
  readonly clock: Clock;
  /** Places for children that serve clients. */
  readonly places: ProcessGate;
  /** A listing that takes longer is ended, in milliseconds. */
  readonly timeoutMs: () => number;
  /** Ends what runs. */
  readonly stopping: AbortSignal;
  /** Told of reading that no request waits for. */
  readonly track: (work: Promise<void>) => void;
  readonly bounds?: RefViewBounds;
}

/** What is kept at most. */
export interface RefViewBounds {
  /** Repositories remembered; the one asked for longest ago goes first. */
  readonly repositories: number;
  /** Bytes of all views together; again the oldest go. */
  readonly bytes: number;
  /** Bytes of one listing: git streams a longer one to each client itself. */
  readonly listingBytes: number;
}

/**
 * Room for 400,000 refs or more, some 50,000 of them in one repository: printing more at a time
 * would stop all other requests for longer than a child costs.
 */
const BOUNDS: RefViewBounds = { repositories: 5_000, bytes: 64 << 20, listingBytes: 4 << 20 };

/** What is remembered of one repository. */
interface Entry {
  readonly files: RefFiles;
  /** When the files were looked at, on the monotonic clock. */
  readonly lookedAt: number;
  /** `git`: it is larger than is kept. Undefined: nobody has read it since the files were certain. */
  view: RefView | "git" | undefined;
  /** The reading of it that goes on now. */
  reading: Promise<Reading> | undefined;
}

/** How a reading ended: `failed` is not remembered, the others are. */
type Reading = RefView | "git" | "busy" | "failed";

/**
 * Refs of repositories, in memory as long as the files that hold them are unchanged. The files are
 * looked at before every answer. They are the one place that every change passes, whoever makes it:
 * a push, an alignment, a removal, or the operator with git in the data directory.
 */
export class RefViews {
  readonly #options: RefViewsOptions;
  readonly #bounds: RefViewBounds;
  /** By path, oldest use first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(options: RefViewsOptions) {
    this.#options = options;
    this.#bounds = options.bounds ?? BOUNDS;
  }

  /** Bytes of the views held. */
  get size(): number {
    return this.#bytes;
  }

  /**
   * The refs of the repository at `path` as they are, or were at some moment since the call. Undefined:
   * ask git itself. `busy`: no child could be started in time.
   */
  async read(path: string): Promise<RefView | "busy" | undefined> {
    const entry = this.#current(path) ?? await this.#look(path);
    if (!entry) return undefined;
    const view = entry.view ?? await this.#reading(path, entry);
    return view === "git" || view === "failed" ? undefined : view;
  }

  /** True when the repository is remembered and still there. False may be either: ask the disk. */
  isThere(path: string): boolean {
    return this.#entries.get(path)?.files.areThere === true;
  }

  /** True when git's advertisements of this repository differ from others' in the refs only. Reads no refs. */
  async isPlain(path: string): Promise<boolean> {
    const entry = this.#entries.get(path);
    if (entry?.files.arePlain) {
      this.#use(path, entry);
      return true;
    }
    return (this.#current(path) ?? await this.#look(path)) !== undefined;
  }

  /**
   * Reads the refs at `path`, which have just changed, as soon as that can be remembered, so that the next who asks
   * does not wait for git. Further changes until then leave it to whoever tells of the last of them.
   */
  async renew(path: string): Promise<void> {
    const { clock, places, stopping, track } = this.#options;
    const entry = this.#current(path) ?? await this.#look(path);
    if (!entry) return;
    await clock.sleep(entry.files.tickMs, stopping);
    const isIdle = !stopping.aborted && places.waiting === 0;
    if (!isIdle || this.#current(path) !== entry || entry.view || entry.reading) return;
    track(this.#reading(path, entry).then(() => {}));
  }

  /** What is remembered, if it is still true; it counts as used. */
  #current(path: string): Entry | undefined {
    const entry = this.#entries.get(path);
    if (!entry) return undefined;
    if (entry.files.areCurrent) {
      this.#use(path, entry);
      return entry;
    }
    this.#entries.delete(path);
    this.#bytes -= sizeOf(entry);
    return undefined;
  }

  /** Makes it the last to go. */
  #use(path: string, entry: Entry): void {
    this.#entries.delete(path);
    this.#entries.set(path, entry);
  }

  async #look(path: string): Promise<Entry | undefined> {
    const lookedAt = this.#options.clock.monotonic();
    const files = await RefFiles.look(path);
    const other = this.#current(path); // somebody else was faster
    if (other || !files) return other;
    const entry: Entry = { files, lookedAt, view: undefined, reading: undefined };
    this.#entries.set(path, entry);
    this.#evict();
    return entry;
  }

  /**
   * Asks git. The answer is kept, and shared with those who ask meanwhile, when every later change is
   * bound to leave other stamps than those of {@link Entry.files}.
   */
  async #reading(path: string, entry: Entry): Promise<Reading> {
    if (entry.reading) return await entry.reading;
    const isCertain = this.#options.clock.monotonic() - entry.lookedAt >= entry.files.tickMs;
    const reading = this.#list(path);
    if (!isCertain) return await reading;
    entry.reading = reading;
    const view = await reading;
    entry.reading = undefined;
    if (view !== "busy" && view !== "failed" && this.#entries.get(path) === entry) {
      entry.view = view;
      this.#bytes += sizeOf(entry);
      this.#evict();
    }
    return view;
  }

  async #list(path: string): Promise<Reading> {
    const { git, places, stopping, timeoutMs } = this.#options;
    const leave = await places.enter();
    if (!leave) return "busy";
    try {
      const { code, stdout, stopped } = await git.run(["upload-pack", "--stateless-rpc", "--strict", path], {
        input: LIST_ALL,
        protocol: "version=2",
        timeoutMs: timeoutMs(),
        signal: stopping,
        maxOutputBytes: this.#bounds.listingBytes,
      });
      if (stopped === "output") return "git";
      return code === 0 ? RefView.parse(stdout) ?? "failed" : "failed";
    } finally {
      leave();
    }
  }

  #evict(): void {
    for (const [path, entry] of this.#entries) {
      if (this.#bytes <= this.#bounds.bytes && this.#entries.size <= this.#bounds.repositories) return;
      this.#entries.delete(path);
      this.#bytes -= sizeOf(entry);
    }
  }
}

function sizeOf({ view }: Entry): number {
  return view instanceof RefView ? view.size : 0;
}
