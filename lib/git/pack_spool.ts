import { Buffer } from "node:buffer";
import type { Clock } from "../world/mod.ts";

/** Read from the file at a time: a copy per client, until it is sent. */
const BLOCK_BYTES = 128 << 10;

/** What {@link PackSpool} needs. */
export interface PackSpoolOptions {
  /** Created; must not exist. */
  readonly path: string;
  readonly clock: Clock;
  /** Asked before bytes go to the file; false when there is no room for them. */
  readonly reserve: (bytes: number) => boolean;
  /** How long a reader may hold up the others once the file takes no more, in milliseconds. */
  readonly patienceMs: number;
  /** Called when a reader leaves and none is left. */
  readonly onUnread: () => void;
}

/**
 * An answer on its way through a file: one producer, any number of readers, each at its own pace. When the
 * file takes no more (no room, or the disk fails) the rest passes from hand to hand, at the pace of the
 * slowest; then the answer is not {@link isKept}.
 */
export class PackSpool {
  readonly #options: PackSpoolOptions;
  readonly #readers = new Set<SpoolReader>();
  #path: string;
  #file: Deno.FsFile | undefined;
  #inFile = 0;
  /** The last bytes in the file, for readers that keep up. */
  #latest: Uint8Array = new Uint8Array();
  /** Where what is not in the file goes on. */
  #handed = 0;
  #isKept = true;
  #rest: Uint8Array | undefined;
  #end: "whole" | "cut" | undefined;
  #change = Promise.withResolvers<void>();
  #moved = Promise.withResolvers<void>();

  /** Throws when the file cannot be created. */
  constructor(options: PackSpoolOptions) {
    this.#options = options;
    this.#path = options.path;
    this.#file = Deno.openSync(options.path, { write: true, createNew: true, mode: 0o600 });
  }

  /** Readers that have not left. */
  get readers(): number {
    return this.#readers.size;
  }

  /** True while the file holds all there is. */
  get isKept(): boolean {
    return this.#isKept;
  }

  /**
   * A reader from the beginning. Undefined when the file is no longer what was written, or holds only a
   * part. Synchronous, so that nothing can take the file away in between.
   */
  open(): SpoolReader | undefined {
    if (!this.#isKept) return undefined;
    let file: Deno.FsFile | undefined;
    try {
      file = Deno.openSync(this.#path);
      if (file.statSync().size < this.#inFile) throw new Error("cut");
    } catch {
      file?.close();
      return undefined;
    }
    const reader: SpoolReader = new SpoolReader(file, this, () => {
      this.#readers.delete(reader);
      this.hasMoved();
      if (this.#readers.size === 0) this.#options.onUnread();
    });
    this.#readers.add(reader);
    return reader;
  }

  /** Takes the next bytes of the answer; resolves when more may come. Never rejects. */
  async append(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    const written = this.#isKept ? await this.#write(bytes) : 0;
    this.#inFile += written;
    this.#handed += written;
    this.#latest = bytes.subarray(0, written);
    if (written === bytes.length) return this.wake();
    this.#isKept = false;
    this.#rest = bytes.subarray(written);
    this.wake();
    await this.#handOver(this.#rest);
  }

  /** No more bytes: `cut` when the answer is not whole. */
  end(how: "whole" | "cut"): void {
    this.#end = how;
    this.#latest = new Uint8Array();
    this.#file?.close();
    this.#file = undefined;
    this.wake();
  }

  /** Moves the finished file. Throws when that fails. */
  rename(path: string): void {
    Deno.renameSync(this.#path, path);
    this.#path = path;
  }

  /** Deletes the file; who reads it goes on reading. */
  remove(): void {
    try {
      Deno.removeSync(this.#path);
    } catch {
      // Somebody else did.
    }
  }

  /** What a reader at `position` finds: so many bytes in the file, bytes, the end, or nothing yet. */
  at(position: number): number | Uint8Array | "whole" | "cut" | undefined {
    const before = position - (this.#inFile - this.#latest.length);
    if (before >= 0 && position < this.#inFile) return this.#latest.subarray(before);
    if (position < this.#inFile) return Math.min(this.#inFile - position, BLOCK_BYTES);
    if (this.#rest && position === this.#handed) return this.#rest.slice();
    return this.#end;
  }

  /** Resolves with the next change of {@link at}. */
  get changed(): Promise<void> {
    return this.#change.promise;
  }

  /** Told by readers that took something or left. */
  hasMoved(): void {
    this.#moved.resolve();
    this.#moved = Promise.withResolvers();
  }

  /** Lets waiting readers look again. */
  wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  /** How many of `bytes` are in the file. */
  async #write(bytes: Uint8Array): Promise<number> {
    if (!this.#options.reserve(bytes.length)) return 0;
    let written = 0;
    try {
      while (written < bytes.length) written += await this.#file!.write(bytes.subarray(written));
    } catch {
      // The disk is full: what follows is handed over.
    }
    return written;
  }

  /** Waits until every reader has taken `rest`; who is too slow is cut off. */
  async #handOver(rest: Uint8Array): Promise<void> {
    const after = this.#handed + rest.length;
    const isBehind = (reader: SpoolReader) => reader.position < after;
    const over = new AbortController();
    let isLate = false;
    const deadline = this.#options.clock.sleep(this.#options.patienceMs, over.signal).then(() => {
      isLate = true;
    });
    while (!isLate && [...this.#readers].some(isBehind)) {
      await Promise.race([this.#moved.promise, deadline]);
    }
    over.abort();
    for (const reader of [...this.#readers].filter(isBehind)) reader.cut();
    this.#rest = undefined;
    this.#handed = after;
  }
}

/** One client's way through an answer. */
export class SpoolReader {
  readonly #file: Deno.FsFile;
  readonly #spool: PackSpool;
  readonly #onLeave: () => void;
  #hasLeft = false;
  #block: ArrayBuffer | undefined;
  /** Where the file is read next, unless what came from memory has to be passed over. */
  #inFile = 0;

  /** Bytes taken. */
  position = 0;

  constructor(file: Deno.FsFile, spool: PackSpool, onLeave: () => void) {
    this.#file = file;
    this.#spool = spool;
    this.#onLeave = onLeave;
  }

  /**
   * The next bytes, or how the answer ended. The bytes are only good until the next call: who has not passed them on
   * by then has nothing. One call at a time. Never rejects.
   */
  async read(): Promise<Uint8Array | "whole" | "cut"> {
    // Memory left to the garbage collector costs more than all else: it goes through the whole heap every 64 MiB.
    this.#block?.transfer(0);
    this.#block = undefined;
    while (!this.#hasLeft) {
      const found = this.#spool.at(this.position);
      if (found === undefined) await this.#spool.changed;
      else if (typeof found === "string") return found;
      else {
        const bytes = typeof found === "number" ? await this.#fromFile(found) : found;
        if (bytes === undefined) break;
        this.position += bytes.length;
        this.#spool.hasMoved();
        return bytes;
      }
    }
    return "cut";
  }

  /** Ends the reading; what is being read is still given. */
  cut(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#file.close();
    this.#spool.wake();
    this.#onLeave();
  }

  async #fromFile(length: number): Promise<Uint8Array | undefined> {
    const block = Buffer.allocUnsafeSlow(length);
    try {
      if (this.#inFile !== this.position) await this.#file.seek(this.position, Deno.SeekMode.Start);
      const count = await this.#file.read(block);
      this.#inFile = this.position + (count ?? 0);
      this.#block = block.buffer;
      return count === null ? undefined : block.subarray(0, count);
    } catch {
      return undefined;
    }
  }
}
